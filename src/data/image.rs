//! The picture that every tile looks at: one that Vitrine brings, one that somebody drew, or a photograph.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::fashion::{CLASSES, SIDE};
use super::{Collage, Dataset, Photo};

/// The first four pictures of every class among Fashion-MNIST's test pictures (Xiao et al. 2017, MIT licence), class by class.
static CLOTHES: &[u8] = include_bytes!("../../assets/pictures/clothes.u8");

/// Seed of the collages that are offered by number.
const COLLAGES: u64 = 1;

/// Largest canvas that a link may carry.
const MOST: usize = 256;

/// The picture that every tile looks at. In a link it is a word: `collage-0`, `clothes-12`, `drawn-...`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Image {
    /// Four pieces of clothing, by number.
    Collage(u32),
    /// One piece of clothing, by number.
    Clothes(u32),
    /// Drawn by hand: `[side, side]`, 0 black to 255 white.
    Drawn(Arc<[u8]>),
    /// A photograph that somebody brought. A link carries its name only.
    Photo {
        /// The file's name.
        name: String,
        /// What it shows; nothing where only the link has come.
        photo: Option<Arc<Photo>>,
    },
}

impl Default for Image {
    fn default() -> Self {
        Self::Collage(0)
    }
}

/// The clothes that Vitrine brings.
pub fn clothes() -> Dataset {
    let each = CLOTHES.len() / (SIDE * SIDE * CLASSES.len());
    let labels = (0..CLASSES.len() * each).map(|i| (i / each) as u8).collect();
    Dataset { side: SIDE, images: CLOTHES.to_vec(), labels, classes: &CLASSES }
}

/// The collage of that number.
pub fn collage(number: u32) -> Collage {
    Collage::new(&clothes(), COLLAGES, u64::from(number))
}

impl Image {
    /// In words.
    pub fn name(&self) -> String {
        match self {
            Self::Collage(i) => format!("collage {i}"),
            Self::Clothes(i) => format!("clothes {i}"),
            Self::Drawn(_) => "drawn by hand".to_owned(),
            Self::Photo { name, .. } => name.clone(),
        }
    }

    /// The pixels for a model that looks at `side` x `side` of so many colours, `[side, side, channels]`; grey is the mean
    /// of the colours. `None`: the photograph is not here.
    pub fn pixels(&self, side: usize, channels: usize) -> Option<Vec<u8>> {
        let rgb = match self {
            Self::Photo { photo, .. } => photo.as_ref()?.square(side),
            Self::Collage(i) => square(&collage(*i).pixels, side)?,
            Self::Drawn(pixels) => square(pixels, side)?,
            Self::Clothes(i) => {
                let all = clothes();
                square(all.image(*i as usize % all.len()), side)?
            }
        };
        let mean = |p: &[u8]| (p.iter().map(|it| u16::from(*it)).sum::<u16>() / 3) as u8;
        Some(if channels == 3 { rgb } else { rgb.chunks(3).map(mean).collect() })
    }
}

/// A grey square as one of `side` in three colours.
fn square(grey: &[u8], side: usize) -> Option<Vec<u8>> {
    let from = grey.len().isqrt();
    Some(Photo::new(from, from, grey.iter().flat_map(|it| [*it; 3]).collect())?.square(side))
}

impl From<Image> for String {
    fn from(picture: Image) -> Self {
        match picture {
            Image::Collage(i) => format!("collage-{i}"),
            Image::Clothes(i) => format!("clothes-{i}"),
            Image::Drawn(pixels) => {
                format!("drawn-{}", URL_SAFE_NO_PAD.encode(miniz_oxide::deflate::compress_to_vec(&pixels, 6)))
            }
            Image::Photo { name, .. } => format!("photo-{name}"),
        }
    }
}

impl TryFrom<String> for Image {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let fault = || format!("“{}” is no picture", word.chars().take(40).collect::<String>());
        let (kind, rest) = word.split_once('-').ok_or_else(fault)?;
        match kind {
            "collage" => rest.parse().map(Self::Collage).map_err(|_| fault()),
            "clothes" => rest.parse().map(Self::Clothes).map_err(|_| fault()),
            "drawn" => drawn(rest).map(Self::Drawn).ok_or_else(fault),
            "photo" => Ok(Self::Photo { name: rest.to_owned(), photo: None }),
            _ => Err(fault()),
        }
    }
}

fn drawn(packed: &str) -> Option<Arc<[u8]>> {
    let packed = URL_SAFE_NO_PAD.decode(packed).ok()?;
    let pixels = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, MOST * MOST).ok()?;
    let side = pixels.len().isqrt();
    (side > 0 && side * side == pixels.len()).then(|| pixels.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_survive_a_link() {
        let drawn: Arc<[u8]> = (0..28 * 28).map(|i| (i % 251) as u8).collect();
        for picture in [Image::Collage(7), Image::Clothes(3), Image::Drawn(drawn)] {
            assert_eq!(Image::try_from(String::from(picture.clone())), Ok(picture));
        }
        let photo = Photo::new(2, 1, vec![0; 6]).map(Arc::new);
        let word = String::from(Image::Photo { name: "a-cat.jpg".to_owned(), photo });
        assert_eq!(Image::try_from(word), Ok(Image::Photo { name: "a-cat.jpg".to_owned(), photo: None }));
        for word in ["", "collage", "collage-x", "drawn-", "drawn-AAAA", "cat-3"] {
            assert!(Image::try_from(word.to_owned()).is_err(), "{word:?} is a picture");
        }
    }

    #[test]
    fn a_picture_of_the_right_size_is_left_as_it_is() {
        let collage = collage(3);
        assert_eq!(Image::Collage(3).pixels(56, 1).unwrap(), collage.pixels);
        let clothes = clothes();
        assert_eq!(Image::Clothes(5).pixels(28, 1).unwrap(), clothes.image(5));
        assert_eq!(clothes.labels[5], 1, "four of each class, in order");
        let rgb = Image::Clothes(5).pixels(28, 3).unwrap();
        assert!(rgb.chunks(3).all(|it| it[0] == it[1] && it[1] == it[2]), "grey has equal colours");
    }
}
