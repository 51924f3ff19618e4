// conv: y[n, i, j, o] = act(bias[o] + sum over u, v, c of x[n, (s i + u - p) / d, (s j + v - q) / d, c] w[u, v, c, o])
//
// x: [n, h, w, c], rows, 0 where a place is outside of it or no whole number. w: [kh, kw, c, o], any strides; with TURNED by half a
// turn. bias: [o], rows. y: [n, rows, columns, o], rows; act is a clamp or nothing.
// Cost: 2 kh kw c operations an element. A thread keeps four channels of four places, d apart, and takes four of c at a time: 8 vec4s
// read for 128 operations.

struct Params {
    size: vec4<u32>, // rows, columns and channels of y, and how many fours of places a row has
    image: vec4<u32>, // h, w, c, and a quarter of the channels of y, rounded up
    w: vec4<u32>, // strides
    kernel: vec2<u32>, // kh, kw
    before: vec2<i32>, // p, q
    offset: u32, // of w
    stride: u32,
    fours: u32, // of places, in all
    bias: u32, // whether there is one
    clamp: vec2<f32>,
    acts: u32, // whether a clamp follows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override DILATION: u32 = 1u;
override TURNED: bool = false;
// Whether every four of c are a vec4 of x, and which four are one of w: none (0), channels of y (1) or of x (2).
override X_FOURS: bool = false;
override W_FOURS: u32 = 0u;
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// x[.., c .. c + 4] of the place that begins at `place`; zeros beyond the end.
fn read_x(place: u32, c: u32) -> vec4<f32> {
    if (X_FOURS) { return x[(place + c) / 4u]; }
    let i = place + min(c + FOUR, vec4<u32>(params.image.z - 1u));
    let it = vec4<f32>(x[i.x / 4u][i.x % 4u], x[i.y / 4u][i.y % 4u], x[i.z / 4u][i.z % 4u], x[i.w / 4u][i.w % 4u]);
    return select(vec4<f32>(), it, c + FOUR < vec4<u32>(params.image.z));
}

// Four channels of y from `o` on of the tap and channel of x that begin at `start`.
fn read_w(start: u32, o: u32) -> vec4<f32> {
    if (W_FOURS == 1u) { return w[(start + o) / 4u]; }
    let i = start + min(o + FOUR, vec4<u32>(params.size.z - 1u)) * params.w.w;
    return vec4<f32>(w[i.x / 4u][i.x % 4u], w[i.y / 4u][i.y % 4u], w[i.z / 4u][i.z % 4u], w[i.w / 4u][i.w % 4u]);
}

// w[u, v, c .. c + 4, o .. o + 4], a column for each c.
fn block_w(tap: u32, c: u32, o: u32) -> mat4x4<f32> {
    if (W_FOURS == 2u) {
        let i = (tap + c + min(o + FOUR, vec4<u32>(params.size.z - 1u)) * params.w.w) / 4u;
        return transpose(mat4x4<f32>(w[i.x], w[i.y], w[i.z], w[i.w]));
    }
    let at = tap + min(c + FOUR, vec4<u32>(params.image.z - 1u)) * params.w.z;
    return mat4x4<f32>(read_w(at.x, o), read_w(at.y, o), read_w(at.z, o), read_w(at.w, o));
}

// What the tap of w that begins at `tap` adds at four places of x, of which some count.
fn product(places: vec4<u32>, count: vec4<f32>, tap: u32, o: u32) -> mat4x4<f32> {
    var sums: mat4x4<f32>;
    for (var c = 0u; c < params.image.z; c += 4u) {
        let left = mat4x4<f32>(
            read_x(places.x, c) * count.x, read_x(places.y, c) * count.y,
            read_x(places.z, c) * count.z, read_x(places.w, c) * count.w,
        );
        sums += block_w(tap, c, o) * left;
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
    let four = index / params.image.w;
    if (four >= params.fours) { return; }
    let o = (index - four * params.image.w) * 4u;
    let row = four / params.size.w;
    let across = four - row * params.size.w;
    let column = across / DILATION * DILATION * 4u + across % DILATION;
    let n = row / params.size.x;
    let first = vec2<i32>(vec2<u32>(row - n * params.size.x, column) * params.stride) - params.before;
    var sums: mat4x4<f32>;
    for (var u = 0u; u < params.kernel.x; u += 1u) {
        let i = (first.x + i32(u)) / i32(DILATION);
        if (i * i32(DILATION) != first.x + i32(u) || u32(i) >= params.image.x) { continue; }
        for (var v = 0u; v < params.kernel.y; v += 1u) {
            let j = (first.y + i32(v)) / i32(DILATION);
            if (j * i32(DILATION) != first.y + i32(v)) { continue; }
            let columns = vec4<u32>(vec4<i32>(j) + vec4<i32>(FOUR * params.stride));
            let inside = columns < vec4<u32>(params.image.y);
            let places = ((n * params.image.x + u32(i)) * params.image.y + select(vec4<u32>(), columns, inside)) * params.image.z;
            let tap = select(vec2<u32>(u, v), params.kernel - 1u - vec2<u32>(u, v), TURNED);
            let start = params.offset + tap.x * params.w.x + tap.y * params.w.y;
            sums += product(places, select(vec4<f32>(), vec4<f32>(1.0), inside), start, o);
        }
    }
    for (var k = 0u; k < 16u; k += 1u) {
        let at = vec2<u32>(column + k / 4u * DILATION, o + k % 4u);
        if (at.x >= params.size.y || at.y >= params.size.z) { continue; }
        let sum = sums[k / 4u][k % 4u] + select(0.0, bias[at.y], params.bias == 1u);
        let result = select(sum, clamp(sum, params.clamp.x, params.clamp.y), params.acts == 1u);
        y[(row * params.size.y + at.x) * params.size.z + at.y] = result;
    }
}
