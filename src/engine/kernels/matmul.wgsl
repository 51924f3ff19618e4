// matmul: y[b] = act(alpha * a[b] x w[b] * scales + bias), act = GELU, a clamp or nothing
//
// a: [batch, m, k], w: [batch, k, n], any strides; the batch is two axes. bias: [n], rows. y: [batch, m, n], rows anywhere.
// Cost: 2 m k n operations a batch. A thread keeps 8 x 4 results (8 x 8 and 16 x 16 with TILE 1 and 2) and takes four of k at a
// time: 12 vec4s read for 256 operations (16 for 512, 32 for 2048). What threads share is left to caches; matmul_shared is the other way.

struct Params {
    m: u32, k: u32, n: u32, alpha: f32,
    a: vec4<u32>, // offset, strides of inner batch, row and column
    w: vec4<u32>,
    outer: vec4<u32>, // matrices in an inner batch, strides of the outer one in a and w, then 1 if there is a bias
    y: vec4<u32>, // strides of inner batch, outer batch and row, then 1 if GELU follows and 2 if a clamp does
    clamp: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override TILE: u32 = 0u;
// Which four neighbours lie in one vec4 of a and w: none (0), those along m or n (1), those along k (2).
override A_ROWS: u32 = 0u;
override W_ROWS: u32 = 0u;
// What a word of w is: an f32 (0); where W_ROWS is 2, two f16 (1) or four bytes, read 2^24 times as large, with a scale a column (2).
override W_FORM: u32 = 0u;
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// a[.., k .. k + 4] of the row that begins at `row`; zeros beyond the end.
fn read_a(row: u32, k: u32) -> vec4<f32> {
    if (A_ROWS == 2u) { return a[(row + k) / 4u]; }
    let i = row + min(k + FOUR, vec4<u32>(params.k - 1u)) * params.a.w;
    let it = vec4<f32>(a[i.x / 4u][i.x % 4u], a[i.y / 4u][i.y % 4u], a[i.z / 4u][i.z % 4u], a[i.w / 4u][i.w % 4u]);
    return select(vec4<f32>(), it, k + FOUR < vec4<u32>(params.k));
}

// Four neighbours of w along n.
fn read_w(at: u32) -> vec4<f32> {
    if (W_ROWS == 1u) { return bitcast<vec4<f32>>(w[at / 4u]); }
    let i = at + FOUR * params.w.w;
    let it = vec4<u32>(w[i.x / 4u][i.x % 4u], w[i.y / 4u][i.y % 4u], w[i.z / 4u][i.z % 4u], w[i.w / 4u][i.w % 4u]);
    return bitcast<vec4<f32>>(it);
}

// Four neighbours of w along k.
fn read_k(at: u32) -> vec4<f32> {
    if (W_FORM == 0u) { return bitcast<vec4<f32>>(w[at / 4u]); }
    let word = w[at / 16u][at / 4u % 4u];
    if (W_FORM == 2u) { return vec4<f32>(vec4<i32>(vec4(word << 24u, word << 16u, word << 8u, word) & vec4(0xff000000u))); }
    let pairs = w[at / 8u];
    let it = select(pairs.xy, pairs.zw, at % 8u == 4u);
    return vec4<f32>(unpack2x16float(it.x), unpack2x16float(it.y));
}

// Four rows of a, as columns.
fn block_a(rows: vec4<u32>, k: u32) -> mat4x4<f32> {
    let i = (rows.x + (k + FOUR) * params.a.w) / 4u;
    if (A_ROWS == 1u) { return transpose(mat4x4<f32>(a[i.x], a[i.y], a[i.z], a[i.w])); }
    return mat4x4<f32>(read_a(rows.x, k), read_a(rows.y, k), read_a(rows.z, k), read_a(rows.w, k));
}

// w[.., k .. k + 4, ..] of the columns that begin at `columns`, transposed.
fn block_w(columns: vec4<u32>, k: u32) -> mat4x4<f32> {
    let i = columns + k;
    if (W_ROWS == 2u) { return transpose(mat4x4<f32>(read_k(i.x), read_k(i.y), read_k(i.z), read_k(i.w))); }
    let at = columns.x + min(k + FOUR, vec4<u32>(params.k - 1u)) * params.w.z;
    return mat4x4<f32>(read_w(at.x), read_w(at.y), read_w(at.z), read_w(at.w));
}

// Where 16 rows of a or columns of w begin. Those over the edge are the last one again: they are read, but not written.
fn starts(matrix: u32, first: u32, count: u32, stride: u32) -> array<vec4<u32>, 4> {
    var it: array<vec4<u32>, 4>;
    for (var i = 0u; i < 4u; i += 1u) { it[i] = matrix + min(first + 4u * i + FOUR, vec4<u32>(count - 1u)) * stride; }
    return it;
}

// GELU with the error function of Abramowitz & Stegun 7.1.26, the small side of it without cancellation.
fn act(x: vec4<f32>) -> vec4<f32> {
    if (params.y.w != 1u) { return select(x, clamp(x, vec4(params.clamp.x), vec4(params.clamp.y)), params.y.w == 2u); }
    let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * abs(x));
    let p = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)));
    let tail = t * p * exp(-0.5 * x * x);
    return 0.5 * x * select(2.0 - tail, tail, x < vec4<f32>());
}

// Writes blocks whose columns are rows of y, of the matrix that begins at `first`.
fn write(first: u32, row: u32, column: u32, sums: array<mat4x4<f32>, 4>) {
    var blocks = sums;
    let at = column + FOUR;
    let shift = vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    var scale = vec4<f32>(params.alpha);
    if (W_FORM == 2u) { scale *= vec4<f32>(scales[at.x], scales[at.y], scales[at.z], scales[at.w]) * 0x1p-24f; }
    for (var i = 0u; i < select(8u, 16u, TILE == 2u) && row + i < params.m; i += 1u) {
        let it = act(scale * blocks[i / 4u][i % 4u] + select(vec4<f32>(), shift, params.outer.w == 1u));
        let at = first + (row + i) * params.y.z + column;
        for (var j = 0u; j < 4u && column + j < params.n; j += 1u) {
            y[at + j] = it[j];
        }
    }
}

// Adds the products of four columns of w with 8 or 16 rows of a.
fn add(sums: ptr<function, array<mat4x4<f32>, 4>>, w: mat4x4<f32>, a: array<mat4x4<f32>, 4>) {
    (*sums)[0] += w * a[0];
    (*sums)[1] += w * a[1];
    if (TILE < 2u) { return; }
    (*sums)[2] += w * a[2];
    (*sums)[3] += w * a[3];
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    // Threads along n: the next power of two of what there is for them, so that few columns leave none idle.
    let across = min(1u << firstLeadingBit(2u * ((params.n + (4u << TILE) - 1u) / (4u << TILE)) - 1u), 8u);
    let id = group * vec3<u32>(across, 32u / across, 1u) + vec3<u32>(thread % across, thread / across, 0u);
    let row = id.y * select(8u, 16u, TILE == 2u);
    let column = id.x * (4u << TILE);
    if (row >= params.m || column >= params.n) { return; }
    let batch = vec2<u32>(id.z % params.outer.x, id.z / params.outer.x);
    let rows = starts(params.a.x + batch.x * params.a.y + batch.y * params.outer.y, row, params.m, params.a.z);
    let columns = starts(params.w.x + batch.x * params.w.y + batch.y * params.outer.z, column, params.n, params.w.w);
    var a: array<mat4x4<f32>, 4>;
    var sums_0: array<mat4x4<f32>, 4>;
    var sums_1: array<mat4x4<f32>, 4>;
    var sums_2: array<mat4x4<f32>, 4>;
    var sums_3: array<mat4x4<f32>, 4>;
    for (var k = 0u; k < params.k; k += 4u) {
        a[0] = block_a(rows[0], k);
        a[1] = block_a(rows[1], k);
        if (TILE == 2u) {
            a[2] = block_a(rows[2], k);
            a[3] = block_a(rows[3], k);
        }
        add(&sums_0, block_w(columns[0], k), a);
        if (TILE == 0u) { continue; }
        add(&sums_1, block_w(columns[1], k), a);
        if (TILE == 1u) { continue; }
        add(&sums_2, block_w(columns[2], k), a);
        add(&sums_3, block_w(columns[3], k), a);
    }
    let first_y = batch.x * params.y.x + batch.y * params.y.y;
    write(first_y, row, column, sums_0);
    if (TILE == 0u) { return; }
    write(first_y, row, column + 4u, sums_1);
    if (TILE == 1u) { return; }
    write(first_y, row, column + 8u, sums_2);
    write(first_y, row, column + 12u, sums_3);
}
