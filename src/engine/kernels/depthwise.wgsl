// depthwise: y[n, i, j, c] = act(bias[c] + sum over u, v of x[n, (s i + u - p) / d, (s j + v - q) / d, c] w[u, v, c])
//
// x: [n, h, w, c], 0 where a place is outside of it or no whole number. w: [kh, kw, c], with TURNED by half a turn. bias: [c].
// y: [n, rows, columns, c]. All are rows; act is a clamp or nothing.
// Cost: 2 kh kw operations and as many reads an element. A thread takes a place of one channel.

struct Params {
    size: vec4<u32>, // rows, columns and channels of y, and its elements
    image: vec2<u32>, // h, w
    kernel: vec2<u32>, // kh, kw
    before: vec2<i32>, // p, q
    stride: u32,
    dilation: u32,
    clamp: vec2<f32>,
    bias: u32, // whether there is one
    acts: u32, // whether a clamp follows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override TURNED: bool = false;

// The sum for an element of y.
fn convolved(index: u32) -> f32 {
    let c = index % params.size.z;
    let place = index / params.size.z;
    let row = place / params.size.y;
    let image = (row / params.size.x) * params.image.x;
    let first = vec2<i32>(vec2<u32>(row % params.size.x, place % params.size.y) * params.stride) - params.before;
    var sum = select(0.0, bias[c], params.bias == 1u);
    for (var u = 0u; u < params.kernel.x; u += 1u) {
        let down = first.x + i32(u);
        let i = u32(down) / params.dilation;
        if (down < 0 || i >= params.image.x || i * params.dilation != u32(down)) { continue; }
        for (var v = 0u; v < params.kernel.y; v += 1u) {
            let right = first.y + i32(v);
            let j = u32(right) / params.dilation;
            if (right < 0 || j >= params.image.y || j * params.dilation != u32(right)) { continue; }
            let tap = select(u * params.kernel.y + v, params.kernel.x * params.kernel.y - 1u - u * params.kernel.y - v, TURNED);
            sum += x[((image + i) * params.image.y + j) * params.size.z + c] * w[tap * params.size.z + c];
        }
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.size.w) {
        let sum = convolved(index);
        y[index] = select(sum, clamp(sum, params.clamp.x, params.clamp.y), params.acts == 1u);
    }
}
