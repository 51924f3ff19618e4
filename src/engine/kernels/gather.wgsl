// gather: y[i, j] = table[ids[i], j]; of a table of 8 bits times scales[ids[i]]
//
// table: [v, d], any strides, rows if it is of fewer bits than f32. ids: [n], rows, whole numbers; what lies outside the table is
// clamped to it. y: [n, d], rows. Cost: two reads and one write an element.

struct Params {
    offset: u32,
    row_stride: u32,
    stride: u32,
    v: u32,
    d: u32,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> ids: array<f32>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// What a word of the table is: an f32 (0), two f16 (1) or four whole numbers of 8 bits (2).
override FORM: u32 = 0u;

fn number(i: u32) -> f32 {
    if (FORM == 1u) { return unpack2x16float(table[i / 2u])[i % 2u]; }
    if (FORM == 2u) { return f32(extractBits(bitcast<i32>(table[i / 4u]), 8u * (i % 4u), 8u)); }
    return bitcast<f32>(table[i]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        let i = index / params.d;
        let j = index % params.d;
        let id = u32(clamp(ids[i], 0.0, f32(params.v - 1u)));
        y[index] = number(params.offset + id * params.row_stride + j * params.stride);
        if (FORM == 2u) { y[index] *= scales[id]; }
    }
}
