//! As much of the ZIP format as a workbook needs (PKWARE's APPNOTE.TXT 4.3): deflated files, no more than 4 GiB.

use miniz_oxide::deflate::compress_to_vec;

/// Good enough for XML, and fast.
const LEVEL: u8 = 3;

/// 1980-01-01, the first day that it knows: equal contents give equal archives.
const DAY: u16 = 0x21;

/// Puts files into an archive.
pub(super) fn archive(files: &[(&str, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let packed = compress_to_vec(content.as_bytes(), LEVEL);
        let offset = number(out.len());
        let mut header = Vec::new();
        // Version 2.0, no flags but "names are UTF-8", deflated.
        for field in [20_u16, 0x800, 8, 0, DAY] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        for field in [crc(content.as_bytes()), number(packed.len()), number(content.len())] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        let length = u16::try_from(name.len()).unwrap_or_default();
        header.extend_from_slice(&length.to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&header);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&header);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, count) = (number(out.len()), u16::try_from(files.len()).unwrap_or_default());
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&number(directory.len()).to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// Reports are bounded far below this.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// CRC-32 as in ISO 3309.
fn crc(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !data.iter().fold(!0, |crc, &byte| {
        let index = usize::try_from((crc ^ u32::from(byte)) & 0xff).unwrap_or_default();
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default()
    })
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_standard_ones() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc(b""), 0);
    }
}
