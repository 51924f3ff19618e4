// heatmap: colour(scale((value / peak - min) / (max - min))), one rectangle of whole pixels a map.
//
// values [map, row, col]; peaks [map] or [map, row]; table [scale, 256] of premultiplied colours in gamma space.
// Instances: the pixels of a rectangle (x, y, width, height) and the map that it shows.
// Cost: one read a pixel while a cell is larger than a pixel; else the largest of all cells that the pixel covers, so
// that no peak vanishes. A map then reads each of its cells once, those on the border of pixels up to four times, however
// small it is drawn; only a map of a few pixels leaves them to a few threads.

struct Uniforms {
    screen: vec2f,  // pixels
    size: vec2u,    // columns, rows
    ends: vec2f,    // values at the ends of the scale
    log: u32,       // 1: equal ratios are equal steps
    divided: u32,   // 0: by nothing, 1: by the map's peak, 2: by the row's
    table: u32,     // row of the table
    signed: u32,    // 1: the largest is the one farthest from zero
    linear: u32,    // 1: the target encodes sRGB itself
    opacity: f32,
    grey: vec4f,    // of what is missing
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> peaks: array<f32>;
@group(0) @binding(3) var table: texture_2d<f32>;

struct Pixel {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat) rect: vec4i,
    @location(1) @interpolate(flat) map: u32,
}

@vertex
fn vertex(@builtin(vertex_index) corner: u32, @location(0) rect: vec4i, @location(1) map: u32) -> Pixel {
    let at = rect.xy + rect.zw * vec2i(i32(corner & 1u), i32(corner >> 1u));
    let clip = (vec2f(at) / u.screen * 2.0 - 1.0) * vec2f(1.0, -1.0);
    return Pixel(vec4f(clip, 0.0, 1.0), rect, map);
}

@fragment
fn fragment(pixel: Pixel) -> @location(0) vec4f {
    let at = vec2i(pixel.position.xy) - pixel.rect.xy;
    let cols = span(u32(at.x), u32(pixel.rect.z), u.size.x);
    let rows = span(u32(at.y), u32(pixel.rect.w), u.size.y);
    var best = -1e30;
    for (var row = rows.x; row < rows.y; row++) {
        for (var col = cols.x; col < cols.y; col++) {
            best = larger(best, value(pixel.map, row, col));
        }
    }
    let gamma = shade(best) * u.opacity;
    return select(gamma, vec4f(to_linear(gamma.rgb), gamma.a), u.linear == 1u);
}

// The cells that pixel `i` of `pixels` covers: first and end.
fn span(i: u32, pixels: u32, cells: u32) -> vec2u {
    if cells <= pixels {
        let nearest = ((2u * i + 1u) * cells) / (2u * pixels);
        return vec2u(nearest, nearest + 1u);
    }
    return vec2u((i * cells) / pixels, ((i + 1u) * cells + pixels - 1u) / pixels);
}

fn value(map: u32, row: u32, col: u32) -> f32 {
    let line = map * u.size.y + row;
    let x = values[line * u.size.x + col];
    if u.divided == 0u || missing(x) {
        return x;
    }
    let peak = peaks[select(map, line, u.divided == 2u)];
    return select(x, x / peak, peak > 0.0);
}

fn larger(a: f32, b: f32) -> f32 {
    if missing(b) {
        return a;
    }
    let rank = select(vec2f(a, b), abs(vec2f(a, b)), u.signed == 1u);
    return select(a, b, missing(a) || rank.y > rank.x);
}

// NaN by its bits, as a compiler may assume that there is none; engines mask with large negative numbers.
fn missing(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u || x <= -1e29;
}

fn shade(x: f32) -> vec4f {
    if missing(x) {
        return u.grey;
    }
    var t = (x - u.ends.x) / (u.ends.y - u.ends.x);
    if u.log == 1u {
        t = log(max(x, u.ends.x) / u.ends.x) / log(u.ends.y / u.ends.x);
    }
    let index = i32(clamp(t, 0.0, 1.0) * 255.0 + 0.5);
    return textureLoad(table, vec2i(index, i32(u.table)), 0);
}

fn to_linear(c: vec3f) -> vec3f {
    return select(pow((c + 0.055) / 1.055, vec3f(2.4)), c / 12.92, c <= vec3f(0.04045));
}
