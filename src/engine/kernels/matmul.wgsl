// matmul: y[b] = act(alpha * a[b] x w[b] + bias), act = GELU or nothing
//
// a: [batch, m, k] and w: [batch, k, n], any strides. bias: [n], rows. y: [batch, m, n], rows.
// Cost: 2 m k n a batch. A thread keeps 8 rows x 4 columns in registers and takes 4 of k at a time: 12 vec4 reads for
// 256 operations. No workgroup memory: barriers are what costs in software, and Apple's GPUs do not miss it.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    alpha: f32,
    // Offset, then strides of batch, row and column.
    a: vec4<u32>,
    w: vec4<u32>,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Whether four neighbours along k lie in one vec4 of a.
override A_ROWS: bool = false;
// Which four neighbours lie in one vec4 of w: none (0), those along n (1), those along k (2).
override W_ROWS: u32 = 0u;
override BIAS: bool = false;
override GELU: bool = false;

// a[.., k .. k + 4] of the row that begins at `row`, zeros beyond the end.
fn read_a(row: u32, k: u32) -> vec4<f32> {
    if (A_ROWS) {
        return a[(row + k) / 4u];
    }
    let ks = k + vec4<u32>(0u, 1u, 2u, 3u);
    let i = row + min(ks, vec4<u32>(params.k - 1u)) * params.a.w;
    let values = vec4<f32>(a[i.x / 4u][i.x % 4u], a[i.y / 4u][i.y % 4u], a[i.z / 4u][i.z % 4u], a[i.w / 4u][i.w % 4u]);
    return select(vec4<f32>(), values, ks < vec4<u32>(params.k));
}

// With W_ROWS 2 w[k .. k + 4, column], else w[k, column .. column + 4]; `at` is where these begin.
fn read_w(at: u32) -> vec4<f32> {
    if (W_ROWS > 0u) {
        return w[at / 4u];
    }
    let i = at + vec4<u32>(0u, 1u, 2u, 3u) * params.w.w;
    return vec4<f32>(w[i.x / 4u][i.x % 4u], w[i.y / 4u][i.y % 4u], w[i.z / 4u][i.z % 4u], w[i.w / 4u][i.w % 4u]);
}

// The same as in unary.wgsl.
fn gelu(value: f32) -> f32 {
    let x = clamp(value * 0.70710678118654752, -4.0, 4.0);
    let s = x * x;
    var p = fma(s, -2.72614225801306e-10, 2.77068142495902e-08);
    p = fma(s, p, -2.10102402082508e-06);
    p = fma(s, p, -5.69250639462346e-05);
    p = fma(s, p, -7.34990630326855e-04);
    p = fma(s, p, -2.95459980854025e-03);
    p = fma(s, p, -1.60960333262415e-02);
    var q = fma(s, -1.45660718464996e-05, -2.13374055278905e-04);
    q = fma(s, q, -1.68282697438203e-03);
    q = fma(s, q, -7.37332916720468e-03);
    q = fma(s, q, -1.42647390514189e-02);
    return 0.5 * value * (1.0 + x * p / q);
}

fn write(batch: u32, row: u32, column: u32, sums: vec4<f32>) {
    if (row >= params.m) {
        return;
    }
    for (var j = 0u; j < 4u && column + j < params.n; j += 1u) {
        var value = sums[j] * params.alpha;
        if (BIAS) {
            value += bias[params.bias_offset + column + j];
        }
        if (GELU) {
            value = gelu(value);
        }
        y[(batch * params.m + row) * params.n + column + j] = value;
    }
}

@compute @workgroup_size(8, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * 8u;
    let column = id.x * 4u;
    // Threads over the edge read the last row or column again, and write nothing.
    let rows = params.a.x + id.z * params.a.y + min(row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.m - 1u)) * params.a.z;
    let more = params.a.x + id.z * params.a.y + min(row + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(params.m - 1u)) * params.a.z;
    let columns = params.w.x + id.z * params.w.y + min(column + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.n - 1u)) * params.w.w;
    var c0 = vec4<f32>();
    var c1 = vec4<f32>();
    var c2 = vec4<f32>();
    var c3 = vec4<f32>();
    var c4 = vec4<f32>();
    var c5 = vec4<f32>();
    var c6 = vec4<f32>();
    var c7 = vec4<f32>();
    for (var k = 0u; k < params.k; k += 4u) {
        var at = columns + k;
        if (W_ROWS < 2u) {
            at = columns.x + min(k + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.k - 1u)) * params.w.z;
        }
        var block = mat4x4<f32>(read_w(at.x), read_w(at.y), read_w(at.z), read_w(at.w));
        if (W_ROWS < 2u) {
            block = transpose(block);
        }
        c0 += read_a(rows.x, k) * block;
        c1 += read_a(rows.y, k) * block;
        c2 += read_a(rows.z, k) * block;
        c3 += read_a(rows.w, k) * block;
        c4 += read_a(more.x, k) * block;
        c5 += read_a(more.y, k) * block;
        c6 += read_a(more.z, k) * block;
        c7 += read_a(more.w, k) * block;
    }
    write(id.z, row, column, c0);
    write(id.z, row + 1u, column, c1);
    write(id.z, row + 2u, column, c2);
    write(id.z, row + 3u, column, c3);
    write(id.z, row + 4u, column, c4);
    write(id.z, row + 5u, column, c5);
    write(id.z, row + 6u, column, c6);
    write(id.z, row + 7u, column, c7);
}
