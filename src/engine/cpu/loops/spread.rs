//! Work spread over cores, and over the lanes of their vectors. In a browser there is one core.

/// Calls `f` with every `chunk`-long piece of `out` and its position: on all cores natively, in order in a browser. `cost`
/// is what an element takes, in simple operations.
#[cfg(not(target_arch = "wasm32"))]
pub fn for_each_chunk(out: &mut [f32], chunk: usize, cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    use rayon::prelude::*;
    // Below some 16k operations waking the other cores costs more than they save.
    if out.len().saturating_mul(cost) < 1 << 14 || out.len() <= chunk {
        out.chunks_mut(chunk).enumerate().for_each(|(i, it)| f(i, it));
    } else {
        out.par_chunks_mut(chunk).enumerate().for_each(|(i, it)| f(i, it));
    }
}

/// Calls `f` with every `chunk`-long piece of `out` and its position: on all cores natively, in order in a browser. `cost`
/// is what an element takes, in simple operations.
#[cfg(target_arch = "wasm32")]
pub fn for_each_chunk(out: &mut [f32], chunk: usize, _cost: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    out.chunks_mut(chunk).enumerate().for_each(|(i, it)| f(i, it));
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
