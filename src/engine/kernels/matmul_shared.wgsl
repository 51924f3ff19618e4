// matmul_shared: y[b] = act(alpha * a[b] x w[b] * scales + bias), as matmul's, and sums in the same order
//
// a: [batch, m, k], w: [batch, k, n], any strides; the batch is two axes. bias: [n], rows. y: [batch, m, n], rows anywhere.
// Cost: 2 m k n operations a batch. The 64 threads of a workgroup make 32 x 32 results from 16 of k at a time, which they read once and
// share: each number of a and w is read n / 32 and m / 32 times. A thread keeps 4 x 4 results.

struct Params {
    m: u32, k: u32, n: u32, alpha: f32,
    a: vec4<u32>, // offset, strides of inner batch, row and column
    w: vec4<u32>,
    outer: vec4<u32>, // matrices in an inner batch, strides of the outer one in a and w, then 1 if there is a bias
    y: vec4<u32>, // strides of inner batch, outer batch and row, then 1 if GELU follows and 2 if a clamp does
    clamp: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// Whether neighbours of a lie along m and those of w along k: then threads read them in that order.
override A_TURNED: bool = false;
override W_TURNED: bool = false;
// What a word of w is, as in matmul: an f32 (0), two f16 (1) or four bytes, read 2^24 times as large (2).
override W_FORM: u32 = 0u;
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

var<workgroup> left: array<vec4<f32>, 160>; // [row, k / 4], rows of 5, so that they lie in different banks
var<workgroup> right: array<vec4<f32>, 128>; // [k, column / 4]

// a[.., k .. k + 4] of the row that begins at `row`; zeros beyond the end.
fn read_a(row: u32, k: u32) -> vec4<f32> {
    let i = row + min(k + FOUR, vec4<u32>(params.k - 1u)) * params.a.w;
    return select(vec4<f32>(), vec4<f32>(a[i.x], a[i.y], a[i.z], a[i.w]), k + FOUR < vec4<u32>(params.k));
}

fn number(i: u32) -> f32 {
    if (W_FORM == 1u) { return unpack2x16float(w[i / 2u])[i % 2u]; }
    if (W_FORM == 2u) { return f32(i32((w[i / 4u] << (24u - 8u * (i % 4u))) & 0xff000000u)); }
    return bitcast<f32>(w[i]);
}

// w[.., k, column .. column + 4] of the matrix that begins at `first`; beyond the edges what lies there is read again.
fn read_w(first: u32, k: u32, column: u32) -> vec4<f32> {
    let row = first + min(k, params.k - 1u) * params.w.z;
    let i = row + min(column + FOUR, vec4<u32>(params.n - 1u)) * params.w.w;
    return vec4<f32>(number(i.x), number(i.y), number(i.z), number(i.w));
}

// GELU with the error function of Abramowitz & Stegun 7.1.26, the small side of it without cancellation.
fn act(x: vec4<f32>) -> vec4<f32> {
    if (params.y.w != 1u) { return select(x, clamp(x, vec4(params.clamp.x), vec4(params.clamp.y)), params.y.w == 2u); }
    let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * abs(x));
    let p = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)));
    let tail = t * p * exp(-0.5 * x * x);
    return 0.5 * x * select(2.0 - tail, tail, x < vec4<f32>());
}

// Writes a block whose columns are rows of y, of the matrix that begins at `first`.
fn write(first: u32, row: u32, column: u32, block: mat4x4<f32>) {
    let at = column + FOUR;
    let shift = vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    var scale = vec4<f32>(params.alpha);
    if (W_FORM == 2u) { scale *= vec4<f32>(scales[at.x], scales[at.y], scales[at.z], scales[at.w]) * 0x1p-24f; }
    for (var i = 0u; i < 4u && row + i < params.m; i += 1u) {
        let it = act(scale * block[i] + select(vec4<f32>(), shift, params.outer.w == 1u));
        let at = first + (row + i) * params.y.z + column;
        for (var j = 0u; j < 4u && column + j < params.n; j += 1u) {
            y[at + j] = it[j];
        }
    }
}

// Reads 32 rows of a and 32 columns of w, of 16 of k.
fn share(thread: u32, first_a: u32, first_w: u32, row: u32, column: u32, k: u32) {
    for (var i = thread; i < 128u; i += 64u) {
        let it = select(vec2<u32>(i / 4u, i % 4u), vec2<u32>(i % 32u, i / 32u), A_TURNED);
        left[it.x * 5u + it.y] = read_a(first_a + min(row + it.x, params.m - 1u) * params.a.z, k + 4u * it.y);
        let at = select(vec2<u32>(i / 8u, i % 8u), vec2<u32>(i % 16u, i / 16u), W_TURNED);
        right[at.x * 8u + at.y] = read_w(first_w, k + at.x, column + 4u * at.y);
    }
}

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) place: vec3<u32>, @builtin(local_invocation_index) thread: u32,
) {
    let batch = vec2<u32>(group.z % params.outer.x, group.z / params.outer.x);
    let first_a = params.a.x + batch.x * params.a.y + batch.y * params.outer.y;
    let first_w = params.w.x + batch.x * params.w.y + batch.y * params.outer.z;
    let row = group.y * 32u;
    let column = group.x * 32u;
    var sums = mat4x4<f32>();
    for (var k = 0u; k < params.k; k += 16u) {
        share(thread, first_a, first_w, row, column, k);
        workgroupBarrier();
        for (var i = 0u; i < 4u; i += 1u) {
            let x = 20u * place.y + i;
            let z = 32u * i + place.x;
            let block = mat4x4<f32>(left[x], left[x + 5u], left[x + 10u], left[x + 15u]);
            sums += mat4x4<f32>(right[z], right[z + 8u], right[z + 16u], right[z + 24u]) * block;
        }
        workgroupBarrier();
    }
    write(batch.x * params.y.x + batch.y * params.y.y, row + 4u * place.y, column + 4u * place.x, sums);
}
