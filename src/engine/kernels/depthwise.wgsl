// depthwise: y[n, i, j, c] = act(bias[c] + sum over u, v of x[n, (s i + u - p) / d, (s j + v - q) / d, c] w[u, v, c])
//
// x: [n, h, w, c], 0 where a place is outside of it or no whole number. w: [kh, kw, c], with TURNED by half a turn. bias: [c].
// y: [n, rows, columns, c]. All are rows; act is a clamp or nothing.
// Cost: 2 kh kw operations an element, for which half a vec4 is read a tap. A thread takes four channels of a place.

struct Params {
    size: vec4<u32>, // rows, columns and channels of y, and a quarter of the channels, rounded up
    image: vec2<u32>, // h, w
    kernel: vec2<u32>, // kh, kw
    before: vec2<u32>, // p, q
    stride: u32,
    places: u32, // n rows columns
    clamp: vec2<f32>,
    bias: u32, // whether there is one
    acts: u32, // whether a clamp follows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override DILATION: u32 = 1u;
override TURNED: bool = false;
// Whether every four channels are a vec4 of x and w.
override FOURS: bool = false;

// Channels from `c` on, and the last one again where there is none.
fn channels(c: u32) -> vec4<u32> {
    return min(c + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.size.z - 1u));
}

fn read_x(place: u32, c: u32) -> vec4<f32> {
    let at = place * params.size.z + c;
    if (FOURS) { return x[at / 4u]; }
    let i = at - c + channels(c);
    return vec4<f32>(x[i.x / 4u][i.x % 4u], x[i.y / 4u][i.y % 4u], x[i.z / 4u][i.z % 4u], x[i.w / 4u][i.w % 4u]);
}

fn read_w(tap: u32, c: u32) -> vec4<f32> {
    let at = select(tap, params.kernel.x * params.kernel.y - 1u - tap, TURNED) * params.size.z + c;
    if (FOURS) { return w[at / 4u]; }
    let i = at - c + channels(c);
    return vec4<f32>(w[i.x / 4u][i.x % 4u], w[i.y / 4u][i.y % 4u], w[i.z / 4u][i.z % 4u], w[i.w / 4u][i.w % 4u]);
}

// The sums for four channels of a place of y.
fn convolved(place: u32, c: u32) -> vec4<f32> {
    let row = place / params.size.y;
    let n = row / params.size.x;
    let first = vec2<u32>(row - n * params.size.x, place - row * params.size.y) * params.stride;
    // The first tap whose place is a whole number. Places before the first wrap around, far beyond the last.
    let start = (params.before + first * (DILATION - 1u)) % DILATION;
    var sums = vec4<f32>();
    for (var u = start.x; u < params.kernel.x; u += DILATION) {
        let i = (first.x + u - params.before.x) / DILATION;
        if (i >= params.image.x) { continue; }
        for (var v = start.y; v < params.kernel.y; v += DILATION) {
            let j = (first.y + v - params.before.y) / DILATION;
            if (j < params.image.y) {
                let at = (n * params.image.x + i) * params.image.y + j;
                sums += read_x(at, c) * read_w(u * params.kernel.y + v, c);
            }
        }
    }
    return sums;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    let place = index / params.size.w;
    if (place >= params.places) { return; }
    let first = (index - place * params.size.w) * 4u;
    let sums = convolved(place, first);
    for (var i = 0u; i < 4u && first + i < params.size.z; i += 1u) {
        let sum = sums[i] + select(0.0, bias[first + i], params.bias == 1u);
        y[place * params.size.z + first + i] = select(sum, clamp(sum, params.clamp.x, params.clamp.y), params.acts == 1u);
    }
}
