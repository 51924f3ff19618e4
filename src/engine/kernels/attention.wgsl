// attention: y[b] = softmax(alpha * q[b] x k[b] + field[b]) x v[b]
//
// q: [batch, m, d], k: [batch, d, n], v: [batch, n, e], field: [batch, m, n] or nothing, any strides; the batch is two axes.
// y: [batch, m, e], rows anywhere.
// Cost: 2 n (d + e) operations a query, and no memory but for y: a thread walks the keys of one query by fours and keeps the
// largest score so far, the sum of exp(score - it) and the sums of as many values as there are columns in 8 vec4s; when a larger
// score comes, both are made smaller (Milakov & Gimelshein 2018, arXiv 1805.02867, algorithm 3).

struct Params {
    m: u32, n: u32, d: u32, e: u32,
    alpha: f32,
    inner: u32, // matrices in an inner batch
    columns: u32, // threads that share the columns of a query
    fielded: u32, // 1 if there is a field
    q: vec4<u32>, // offset, strides of inner batch, row and column
    k: vec4<u32>,
    v: vec4<u32>,
    field: vec4<u32>,
    outer: vec4<u32>, // strides of the outer batch in q, k, v and the field
    y: vec4<u32>, // strides of inner batch, outer batch and row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> field: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const LOWEST = -3.4028234e38;
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);
const WIDTH = 8u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / params.columns;
    if (row >= params.m) { return; }
    let column = id.x % params.columns * 4u * WIDTH;
    let batch = vec2<u32>(id.z % params.inner, id.z / params.inner);
    let first_q = params.q.x + batch.x * params.q.y + batch.y * params.outer.x + row * params.q.z;
    let first_k = params.k.x + batch.x * params.k.y + batch.y * params.outer.y;
    let first_v = params.v.x + batch.x * params.v.y + batch.y * params.outer.z;
    let first_field = params.field.x + batch.x * params.field.y + batch.y * params.outer.w + row * params.field.z;

    var top = LOWEST;
    var sum = 0.0;
    var sums: array<vec4<f32>, WIDTH>;
    for (var j = 0u; j < params.n; j += 4u) {
        // Keys over the edge are the last one again, with weight 0.
        let keys = min(j + FOUR, vec4<u32>(params.n - 1u));
        var at = first_k + keys * params.k.w;
        var scores = vec4<f32>();
        for (var i = 0u; i < params.d; i += 1u) {
            scores += q[first_q + i * params.q.w] * vec4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]);
            at += params.k.z;
        }
        scores *= params.alpha;
        if (params.fielded == 1u) {
            let place = first_field + keys * params.field.w;
            scores += vec4<f32>(field[place.x], field[place.y], field[place.z], field[place.w]);
        }
        let larger = max(max(top, max(scores.x, scores.y)), max(scores.z, scores.w));
        let weights = select(vec4<f32>(), exp(scores - larger), j + FOUR < vec4<u32>(params.n));
        let smaller = exp(top - larger);
        top = larger;
        sum = sum * smaller + dot(weights, vec4<f32>(1.0));
        let values = first_v + keys * params.v.z;
        for (var b = 0u; b < WIDTH; b += 1u) {
            let places = min(column + 4u * b + FOUR, vec4<u32>(params.e - 1u)) * params.v.w;
            var mixed = sums[b] * smaller;
            for (var l = 0u; l < 4u; l += 1u) {
                let at = values[l] + places;
                mixed += weights[l] * vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]);
            }
            sums[b] = mixed;
        }
    }
    let to = batch.x * params.y.x + batch.y * params.y.y + row * params.y.z;
    for (var c = column; c < min(column + 4u * WIDTH, params.e); c += 1u) {
        y[to + c] = sums[(c - column) / 4u][c % 4u] / sum;
    }
}
