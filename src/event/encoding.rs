//! How single values are written in a line of the stream.

/// Durations as whole milliseconds.
pub(super) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::event) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in crate::event) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Output as `text` when it is UTF-8, as `base64` otherwise: nothing is lost either way.
pub(super) mod output_data {
    use bytes::Bytes;
    use data_encoding::BASE64;
    use serde::ser::SerializeMap;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    struct Data {
        text: Option<String>,
        base64: Option<String>,
    }

    pub(in crate::event) fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match std::str::from_utf8(data) {
            Ok(text) => map.serialize_entry("text", text)?,
            Err(_) => map.serialize_entry("base64", &BASE64.encode(data))?,
        }
        map.end()
    }

    pub(in crate::event) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        match Data::deserialize(deserializer)? {
            Data { text: Some(text), .. } => Ok(Bytes::from(text)),
            Data { base64: Some(data), .. } => {
                BASE64.decode(data.as_bytes()).map(Bytes::from).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("output without text or base64")),
        }
    }
}
