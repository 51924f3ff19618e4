//! The whole state of the app, and its form in a link: `#v1;text=Hello+there;focus=(layer:3,head:1)`.
//!
//! Only what differs from the default is written. Small states stay readable (`word` has the grammar); big ones are
//! deflated. A link never panics: what cannot be read is a [`LinkError`] in words.

mod word;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::{Image, Inputs};
use crate::focus::Spot;

/// The state as it can be shared, restored and undone. A default state, which `#v1` stands for, is one tile with
/// attention; without any link the app begins with its first page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The sentence.
    pub text: String,
    /// Id of the model that reads it.
    pub model: String,
    /// The picture.
    pub picture: Image,
    /// What stands side by side; `None` if all tiles are closed.
    pub tiles: Option<Layout>,
    /// Whether the gallery covers the tiles.
    pub gallery: bool,
    /// What a click has locked.
    pub focus: Spot,
    /// Colours.
    pub theme: Theme,
    /// Scale of type in percent: 100 at a desk, 200 in a lecture hall.
    pub size: u16,
}

/// What stands side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layout {
    /// One exhibit.
    Tile(Tile),
    /// Parts beside or below each other.
    Split(Split),
    /// Parts behind each other.
    Tabs(Tabs),
}

/// One exhibit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Which.
    pub exhibit: String,
    /// What of its state differs from the default.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub state: Value,
    /// What a click has locked in a tile with a cursor of its own; `None` if it shares the others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<Spot>,
    /// What is taken away from one of its panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<Minus>,
    /// Tells tiles apart while the app runs; links do not carry it.
    #[serde(skip)]
    pub id: u64,
}

/// A map of one tile minus that of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minus {
    /// The panel that shows the difference.
    pub panel: String,
    /// The other tile: its number in the link, from 1.
    pub tile: usize,
    /// The other tile's panel.
    pub of: String,
}

/// Parts beside or below each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Beside or below.
    pub split: Direction,
    /// The parts, first left or on top.
    pub parts: Vec<Layout>,
    /// Percent of the space that each part has; empty if all have the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<u8>,
}

/// Beside or below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Beside each other.
    Row,
    /// Below each other.
    Column,
}

/// Parts behind each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tabs {
    /// The parts.
    pub tabs: Vec<Layout>,
    /// Which of them is in front.
    #[serde(default)]
    pub open: usize,
}

/// Which colours to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system does.
    #[default]
    System,
    /// Light text on dark ground.
    Dark,
    /// Dark text on light ground.
    Light,
}

/// Why a link cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another version of the format.
    #[error("this link was made by another version of Vitrine ({0})")]
    Version(String),
    /// Cut off, mistyped or altered on its way.
    #[error("this link is damaged: {0}")]
    Damaged(String),
}

/// Longer links are deflated if that makes them shorter.
const READABLE: usize = 600;

/// No state is longer than this; a link that says otherwise is an attack or an accident.
const LONGEST: usize = 1 << 20;

/// Most tiles in a link.
const MOST_TILES: usize = 32;

/// The link to `state`, from `#` on.
pub fn encode(state: &State) -> String {
    let default = fields(&State::default());
    let mut body = String::new();
    for (key, value) in fields(state).iter().filter(|(key, value)| default.get(*key) != Some(value)) {
        body.extend([";", key, "=", &word::write(value)]);
    }
    if body.len() > READABLE {
        let packed = miniz_oxide::deflate::compress_to_vec(body.as_bytes(), 9);
        let packed = format!(";z={}", URL_SAFE_NO_PAD.encode(packed));
        if packed.len() < body.len() {
            return format!("#v1{packed}");
        }
    }
    format!("#v1{body}")
}

/// The state that a link stands for, given as a whole or from `#` on. An empty link is the default state.
pub fn decode(link: &str) -> Result<State, LinkError> {
    let link = link.trim();
    let address = link.starts_with("http").then(|| link.split_once('#')).flatten();
    let link = address.map_or(link, |it| it.1).trim_start_matches('#');
    if link.is_empty() {
        return Ok(State::default());
    }
    let (version, body) = link.split_once(';').unwrap_or((link, ""));
    match version.strip_prefix('v').map(str::parse::<u32>) {
        Some(Ok(1)) => {}
        Some(Ok(_)) => return Err(LinkError::Version(version.to_owned())),
        _ => return Err(damaged("it does not begin with v1")),
    }
    let unpacked = body.strip_prefix("z=").map(unpack).transpose()?;
    let state = read(unpacked.as_deref().unwrap_or(body))?;
    let tiles = state.tiles.as_ref().map_or(0, Layout::tiles);
    if tiles > MOST_TILES {
        return Err(damaged(format!("it opens {tiles} tiles, more than {MOST_TILES}")));
    }
    Ok(state)
}

fn fields(state: &State) -> Map<String, Value> {
    match serde_json::to_value(state) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("a state is an object with text keys, not {other:?}"),
    }
}

fn unpack(packed: &str) -> Result<String, LinkError> {
    let packed =
        URL_SAFE_NO_PAD.decode(packed).map_err(|_| damaged("its packed part is cut off or altered"))?;
    let body = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, LONGEST)
        .map_err(|_| damaged("its packed part does not unpack"))?;
    String::from_utf8(body).map_err(|_| damaged("its packed part is not text"))
}

fn read(body: &str) -> Result<State, LinkError> {
    let mut fields = Map::new();
    for field in body.split(';').filter(|it| !it.is_empty()) {
        let (key, value) = field.split_once('=').ok_or_else(|| damaged(format!("“{field}” has no value")))?;
        fields.insert(key.to_owned(), word::read(value).map_err(damaged)?);
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| damaged(error.to_string()))
}

/// The reason may quote the link, of which a banner shows the beginning.
fn damaged(reason: impl std::fmt::Display) -> LinkError {
    LinkError::Damaged(format!("{:.200}", reason.to_string()))
}

impl Default for State {
    fn default() -> Self {
        let Inputs { text, model, picture } = Inputs::default();
        Self {
            text,
            model,
            picture,
            tiles: Some(Layout::from("attention")),
            gallery: false,
            focus: Spot::default(),
            theme: Theme::default(),
            size: 100,
        }
    }
}

impl From<&str> for Layout {
    /// One tile with an exhibit in its default state.
    fn from(exhibit: &str) -> Self {
        Self::Tile(Tile { exhibit: exhibit.to_owned(), ..Tile::default() })
    }
}

impl Layout {
    /// How many tiles it has.
    pub fn tiles(&self) -> usize {
        self.each().len()
    }

    /// All tiles, in reading order.
    pub fn each(&self) -> Vec<&Tile> {
        match self {
            Self::Tile(tile) => vec![tile],
            Self::Split(Split { parts, .. }) => parts.iter().flat_map(Self::each).collect(),
            Self::Tabs(Tabs { tabs, .. }) => tabs.iter().flat_map(Self::each).collect(),
        }
    }
}
