//! A map of one tile minus a map of the same shape of another.

use super::picture::{Cells, Map, Picture};
use super::{Field, Fields, Panel};
use crate::tensor::Tensor;
use crate::trace::Kept;

/// What is taken away from a panel.
#[derive(Clone)]
pub struct Difference {
    /// The panel.
    pub panel: String,
    /// What is taken away, in short and in full: "tile 2", "head map of Attention maps".
    pub words: [String; 2],
    /// The panel's own map.
    own: Map,
    /// The other.
    other: Map,
    /// The difference; `None` while its numbers are not at hand.
    map: Option<Map>,
}

impl Difference {
    /// `own` minus `other`, if they have one shape. What `before` has computed of the same maps is taken over.
    pub fn of(panel: &str, words: [String; 2], own: &Map, other: &Map, before: Option<Self>) -> Option<Self> {
        if [own.rows, own.cols] != [other.rows, other.cols] {
            return None;
        }
        let key = |it: &Map| (it.kept.id, it.index);
        let known = before.filter(|it| key(&it.own) == key(own) && key(&it.other) == key(other));
        let map = known.and_then(|it| it.map).or_else(|| difference(own, other));
        Some(Self { panel: panel.to_owned(), words, own: own.clone(), other: other.clone(), map })
    }

    /// The panel with the difference in its picture.
    pub(crate) fn from(&self, mut panel: Panel) -> Panel {
        let Some(map) = self.map.clone().filter(|_| panel.name == self.panel) else { return panel };
        let also = |here: &Map| [("here", here.clone()), ("there", self.other.clone())];
        let [short, full] = &self.words;
        panel.title = format!("{} − {short}", panel.title);
        panel.note = Some(format!("{short}: {full}"));
        "Blue is more here, red is more there.".clone_into(&mut panel.about);
        panel.picture = match panel.picture {
            Picture::Cells(cells) => {
                let also = also(&cells.map).into();
                let value = "difference".to_owned();
                Picture::Cells(Box::new(Cells { map, value, also, lines: None, ..*cells }))
            }
            Picture::Fields(fields) => {
                let also = also(&self.own).map(|(name, it)| (name.to_owned(), it)).into();
                let field = Field { also, ..Field::new(Some(map), "difference") };
                let legend = Some("difference".to_owned());
                Picture::Fields(Fields { fields: vec![field], value: "difference", legend, ..fields })
            }
            other => other,
        };
        panel
    }
}

/// What `own` says more than `other`, coloured to its largest; each as it is, whatever divides it on the screen.
fn difference(own: &Map, other: &Map) -> Option<Map> {
    let (a, b) = (own.values()?, other.values()?);
    let values: Vec<f32> = a.iter().zip(&*b).map(|(a, b)| a - b).collect();
    let most = values.iter().fold(1e-6f32, |most, it| most.max(it.abs()));
    let kept = Kept::from(Tensor::new(&[own.rows, own.cols], values));
    Some(Map::of(&kept, 0)?.signed(most))
}

impl Picture {
    /// The one map that it shows, if it is one.
    pub fn map(&self) -> Option<&Map> {
        match self {
            Self::Cells(cells) => Some(&cells.map),
            Self::Fields(Fields { fields, .. }) => match &fields[..] {
                [field] => field.map.as_ref(),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Room, panel};

    fn map(values: &[f32], cols: usize) -> Map {
        let kept = Kept::from(Tensor::new(&[values.len() / cols, cols], values.to_vec()));
        Map::of(&kept, 0).expect("rows and columns")
    }

    #[test]
    fn maps_of_one_shape_are_subtracted_and_others_are_not() {
        let (a, b) = (map(&[1.0, 2.0, 3.0, 4.0], 2), map(&[0.5, 2.0, 4.0, 0.0], 2));
        let minus =
            Difference::of("map", ["tile 2", "other"].map(str::to_owned), &a, &b, None).expect("one shape");
        let field = Fields { fields: vec![Field::new(Some(a.clone()), "")], ..Fields::default() };
        let shown = panel("map", 0, Room::fill(1.0, 1.0)).titled("one").shows(Picture::Fields(field));
        let shown = minus.from(shown);
        let map_of = shown.picture.map().expect("one map");
        assert_eq!(map_of.values().expect("on the host")[..], [0.5, 0.0, -1.0, 4.0]);
        assert_eq!((map_of.range.max, &*shown.title), (4.0, "one − tile 2"));
        let again =
            Difference::of("map", minus.words.clone(), &a, &b, Some(minus.clone())).expect("one shape");
        let id = |it: &Difference| it.map.as_ref().map(|it| it.kept.id);
        assert_eq!(id(&again), id(&minus), "equal maps are subtracted once");
        assert!(Difference::of("map", minus.words.clone(), &a, &map(&[1.0, 2.0], 2), None).is_none());
        let other = panel("else", 0, Room::fill(1.0, 1.0)).titled("else");
        assert_eq!(minus.from(other).title, "else", "other panels stay as they are");
    }
}
