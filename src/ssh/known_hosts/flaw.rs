//! What is wrong with a line of a known_hosts file.

/// Why a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFlaw {
    /// A word with `@` that is no marker.
    #[error("unknown marker, expected @revoked or @cert-authority")]
    UnknownMarker,
    /// More than one marker.
    #[error("more than one marker")]
    TwoMarkers,
    /// Nothing after the host names, or no key after its type.
    #[error("no key")]
    NoKey,
    /// The type is not printable ASCII of at most 64 bytes.
    #[error("the key type is not a word of printable ASCII")]
    BadType,
    /// The key is not whole and canonical base64.
    #[error("the key is not valid base64, it may be cut off")]
    Base64,
    /// The key decodes, but to something too short, too long or of another form.
    #[error("the key is damaged or cut off")]
    Truncated,
    /// The line names one type, the key another.
    #[error("the line says {label}, but the key is {found}")]
    WrongType {
        /// What the line says.
        label: Box<str>,
        /// What the key says.
        found: Box<str>,
    },
    /// An RSA key that nobody should trust.
    #[error("RSA key of {bits} bits, too short to be trusted")]
    WeakRsa {
        /// Size of the modulus.
        bits: usize,
    },
    /// A hashed host name that is not `|1|salt|hash`.
    #[error("damaged hashed host name")]
    BadHash,
    /// A host pattern longer than OpenSSH reads.
    #[error("a host name of more than 1022 bytes")]
    LongName,
    /// A NUL byte, which ends a line for OpenSSH: UTF-16, or the mark of a crash.
    #[error("a NUL byte, the file is not plain text")]
    Nul,
    /// A UTF-8 byte order mark, which is part of the first host name for OpenSSH.
    #[error("a byte order mark before the host name, save the file without one")]
    ByteOrderMark,
}
