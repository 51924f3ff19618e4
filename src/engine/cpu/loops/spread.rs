//! Work spread over cores, and over the lanes of their vectors. In a browser there is one core.

/// Operations below which waking the other cores costs more than they save.
#[cfg(not(target_arch = "wasm32"))]
const SPREAD: usize = 1 << 14;

/// Calls `f` with every `chunk`-long piece of `out` and its position: on all cores natively, in order in a browser. `cost`
/// is what an element takes, in simple operations.
#[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "one core does it all"))]
pub fn for_each_chunk(out: &mut [f32], chunk: usize, cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    if out.len().saturating_mul(cost) >= SPREAD && out.len() > chunk {
        use rayon::prelude::*;
        return out.par_chunks_mut(chunk).enumerate().for_each(|(i, it)| f(i, it));
    }
    out.chunks_mut(chunk).enumerate().for_each(|(i, it)| f(i, it));
}

/// The same with pieces of two results of one length.
#[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "one core does it all"))]
pub fn for_each_chunk_of_two(
    [one, other]: [&mut [f32]; 2],
    chunk: usize,
    cost: usize,
    f: impl Fn(usize, [&mut [f32]; 2]) + Sync,
) {
    #[cfg(not(target_arch = "wasm32"))]
    if one.len().saturating_mul(cost) >= SPREAD && one.len() > chunk {
        use rayon::prelude::*;
        let pieces = one.par_chunks_mut(chunk).zip(other.par_chunks_mut(chunk));
        return pieces.enumerate().for_each(|(i, (one, other))| f(i, [one, other]));
    }
    let pieces = one.chunks_mut(chunk).zip(other.chunks_mut(chunk));
    pieces.enumerate().for_each(|(i, (one, other))| f(i, [one, other]));
}

/// On how many cores work is spread.
pub fn cores() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    return 1;
}

/// Whether vectors hold four numbers, as in a browser.
pub(crate) const NARROW_VECTORS: bool = cfg!(target_arch = "wasm32");

/// Multiplications below which a product stays on one core: waking another would cost more.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const SMALL: usize = 1 << 18;

/// Calls `f` with every number below `parts`: on all cores natively, in order in a browser.
pub fn for_each_part(parts: usize, f: impl Fn(usize) + Send + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    if parts > 1 {
        use rayon::prelude::*;
        return (0..parts).into_par_iter().for_each(f);
    }
    (0..parts).for_each(f);
}

/// Calls `f` with everything in `parts`, on all cores.
#[cfg(not(target_arch = "wasm32"))]
pub fn for_each_of<T: Send>(parts: Vec<T>, f: impl Fn(T) + Send + Sync) {
    use rayon::prelude::*;
    if parts.len() > 1 { parts.into_par_iter().for_each(f) } else { parts.into_iter().for_each(f) }
}

/// Runs `f` compiled for the widest vectors of this processor: AVX2 or AVX-512 where there is one. A browser has one width,
/// which everything is compiled for.
#[inline(always)]
pub fn vectorised(f: impl FnMut()) {
    #[cfg(not(target_arch = "wasm32"))]
    pulp::Arch::new().dispatch(Loop(f));
    #[cfg(target_arch = "wasm32")]
    {
        let mut f = f;
        f();
    }
}

/// A loop to be compiled for several widths of vectors. A closure that is called once would not be inlined; this is.
#[cfg(not(target_arch = "wasm32"))]
struct Loop<F>(F);

#[cfg(not(target_arch = "wasm32"))]
impl<F: FnMut()> pulp::WithSimd for Loop<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) {
        (self.0)();
    }
}
