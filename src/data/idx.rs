//! IDX, the file format of MNIST and its kin (<http://yann.lecun.com/exdb/mnist>): a magic number that says the type and
//! the number of axes, the length of each axis, and the elements; big-endian, and here in gzip.

use std::io::Read;

use super::error::Fault;

/// The type code of unsigned bytes.
const BYTES: u32 = 0x08;
/// More than any file of the family unpacks to: a small damaged file shall not fill the memory.
const MOST: u64 = 1 << 30;

/// Unpacks a gzipped IDX file of bytes with `axes` axes: their lengths, and the elements.
pub(super) fn parse(gzip: &[u8], axes: usize) -> Result<(Vec<usize>, Vec<u8>), Fault> {
    let mut bytes = vec![];
    let unpacked = flate2::read::GzDecoder::new(gzip).take(MOST).read_to_end(&mut bytes);
    unpacked.map_err(|it| Fault::Gzip(it.to_string()))?;
    let word = |i: usize| Some(u32::from_be_bytes(bytes.get(4 * i..4 * i + 4)?.try_into().ok()?));
    let header = 4 * (axes + 1);
    let truncated = || Fault::Length { have: bytes.len(), need: header as u64 };

    let (found, wanted) = (word(0).ok_or_else(truncated)?, BYTES << 8 | axes as u32);
    if found != wanted {
        return Err(Fault::Magic { found, wanted, axes });
    }
    let lengths: Option<Vec<usize>> = (1..=axes).map(|i| word(i).map(|it| it as usize)).collect();
    let lengths = lengths.ok_or_else(truncated)?;
    let elements = lengths.iter().try_fold(1u64, |product, n| product.checked_mul(*n as u64));
    let need = elements.unwrap_or(u64::MAX).saturating_add(header as u64);
    if bytes.len() as u64 != need {
        return Err(Fault::Length { have: bytes.len(), need });
    }
    bytes.drain(..header);
    Ok((lengths, bytes))
}
