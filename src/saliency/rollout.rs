//! Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928, section 3).
//!
//! A token mixes what it attends to with itself, because of the residual connection, so attention is followed through
//! the layers as a product of `A~[l] = (mean_h A[l,h] + I) / 2`, the new layer on the left:
//! `R[0] = A~[0]`, `R[l] = A~[l] R[l-1]`. Every row of every `R` sums to 1.

use super::identity;
use crate::graph::Var;

/// `R[l]` `[query, key]` after every layer, from the patterns `[head, query, key]` of all layers.
pub fn rollout<'g>(patterns: &[Var<'g>]) -> Vec<Var<'g>> {
    let mut rolled: Vec<Var<'g>> = vec![];
    for pattern in patterns {
        let n = pattern.dim(-1);
        let mean = pattern.mean(0).reshape(&[n, n]);
        let a = (mean + identity(pattern.graph(), n)) * 0.5;
        rolled.push(rolled.last().map_or(a, |below| a.matmul(*below)));
    }
    rolled
}

#[cfg(test)]
mod tests {
    use super::rollout;
    use crate::engine::{Cancel, cpu::Cpu};
    use crate::graph::Graph;
    use crate::platform::block_on;
    use crate::tensor::Tensor;

    /// Rollout of `layers` equal patterns.
    fn rolled(pattern: &Tensor, layers: usize) -> Tensor {
        let g = Graph::default();
        rollout(&vec![g.input(pattern); layers])[layers - 1].keep("rollout");
        let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
        block_on(trace.get("rollout").unwrap().read()).unwrap()
    }

    fn identity(n: usize) -> Tensor {
        Tensor::from_fn(&[n, n], |at| f32::from(u8::from(at[0] == at[1])))
    }

    #[test]
    fn heads_that_look_at_themselves_move_nothing() {
        let pattern = Tensor::from_fn(&[2, 5, 5], |at| f32::from(u8::from(at[1] == at[2])));
        assert_eq!(rolled(&pattern, 4), identity(5));
    }

    #[test]
    fn uniform_attention_has_the_closed_form() {
        // R[l]_ij = 2^-l delta_ij + (1 - 2^-l) / n
        let (n, layers) = (7, 3);
        let pattern = Tensor::from_fn(&[2, n, n], |_| 1.0 / n as f32);
        let kept = 0.5f32.powi(layers as i32);
        let expected = Tensor::from_fn(&[n, n], |at| identity(n).at(at) * kept + (1.0 - kept) / n as f32);
        // 1e-6: three products of seven f32 terms.
        assert!(rolled(&pattern, layers).max_abs_diff(&expected) < 1e-6);
    }

    #[test]
    fn the_new_layer_stands_on_the_left() {
        let g = Graph::default();
        let [a, b] = [[0, 1, 1], [2, 2, 0]].map(|looks| {
            g.input(&Tensor::from_fn(&[1, 3, 3], |at| f32::from(u8::from(looks[at[1]] == at[2]))))
        });
        rollout(&[a, b])[1].keep("rollout");
        let trace = block_on(Cpu::new().run(&g.finish(), &Cancel::default())).unwrap();
        let r = block_on(trace.get("rollout").unwrap().read()).unwrap();
        // Token 0 looks at 2 in the upper layer; 2 looks at 1 in the lower: R_01 = 1/2 * 1/2.
        assert_eq!(r.at(&[0, 1]), 0.25);
    }
}
