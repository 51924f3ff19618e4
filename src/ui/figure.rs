//! The picture for a paper: SVG, PNG and CSV.

mod canvas;
mod numbers;
mod plot;
mod sheet;

use plotters::prelude::{BitMapBackend, IntoDrawingArea, SVGBackend};

use super::{Bars, Chart, Range, Scale};

/// A picture with everything that a reader needs, apart from the app.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows: "Attention, layer 3, head 7".
    pub title: String,
    /// How to read it, the model, the source.
    pub caption: String,
    /// What is drawn.
    pub body: Body,
    /// Light text on dark ground.
    pub dark: bool,
    /// Where the live picture is.
    pub link: String,
}

/// The picture itself, in numbers.
#[derive(Clone, Debug)]
pub enum Body {
    /// Coloured cells.
    Table(Table),
    /// Series of points.
    Chart(Chart),
    /// Bars.
    Bars(Bars),
}

/// Numbers in rows and columns, and their colours.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What the columns are.
    pub x_label: String,
    /// What the rows are.
    pub y_label: String,
    /// Tokens of the columns.
    pub x_tokens: Vec<String>,
    /// Tokens of the rows.
    pub y_tokens: Vec<String>,
    /// The values, row by row.
    pub values: Vec<f32>,
    /// The numbers at the ends of the scale.
    pub range: Range,
    /// The colours.
    pub scale: Scale,
}

/// Why a figure could not be drawn.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the figure could not be drawn: {0}")]
pub struct FigureError(String);

impl Figure {
    /// The figure as SVG; its text stays text.
    pub fn svg(&self) -> Result<String, FigureError> {
        let mut svg = String::new();
        let size = sheet::size(self, 1.0);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        sheet::draw(self, 1.0, &area).and_then(|()| area.present()).map_err(reason)?;
        drop(area);
        let cells = matches!(self.body, Body::Table(_));
        // Otherwise a viewer that zooms shows the ground between cells that touch.
        let crisp = if cells { " shape-rendering=\"crispEdges\"" } else { "" };
        let svg = svg.replacen("<svg ", &format!("<svg{crisp} "), 1);
        Ok(svg.replacen('>', &format!(">\n{}", self.metadata()), 1))
    }

    /// The whole link, for machines and for whoever finds too little room for it on the page.
    fn metadata(&self) -> String {
        let special = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")];
        let link = special.iter().fold(self.link.clone(), |link, (from, to)| link.replace(from, to));
        let names = "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"";
        format!("<metadata {names}><dc:source>{link}</dc:source></metadata>")
    }

    /// The figure as PNG, in the fonts of `ctx`, which may know more scripts than ours.
    pub fn png(&self, ctx: &egui::Context, pixels_per_point: f32) -> Result<Vec<u8>, FigureError> {
        let (width, height) = sheet::size(self, pixels_per_point);
        let mut pixels = vec![0; 3 * (width * height) as usize];
        let texts = canvas::Texts::default();
        let backend =
            canvas::Canvas::new(BitMapBackend::with_buffer(&mut pixels, (width, height)), texts.clone());
        let area = backend.into_drawing_area();
        sheet::draw(self, pixels_per_point, &area).and_then(|()| area.present()).map_err(reason)?;
        drop(area);
        texts.write(ctx, &mut pixels, width as usize);
        self.encode(&pixels, (width, height), pixels_per_point).map_err(reason)
    }

    /// The numbers as text, see [`Body::csv`].
    pub fn csv(&self) -> String {
        self.body.csv()
    }

    /// The numbers as an array, see [`Body::npy`].
    pub fn npy(&self) -> Vec<u8> {
        self.body.npy()
    }

    fn encode(
        &self,
        pixels: &[u8],
        size: (u32, u32),
        pixels_per_point: f32,
    ) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
        encoder.set_color(png::ColorType::Rgb);
        // A point is 1/96 inch on a page, as in a browser.
        let per_metre = (96.0 / 0.0254 * pixels_per_point).round() as u32;
        let unit = png::Unit::Meter;
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit }));
        encoder.add_itxt_chunk("Source".to_owned(), self.link.clone())?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()?;
        Ok(file)
    }
}

fn reason(error: impl std::fmt::Display) -> FigureError {
    FigureError(error.to_string())
}
