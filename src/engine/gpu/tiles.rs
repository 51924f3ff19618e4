//! How a product is cut among the threads of a GPU. Which way is fastest depends on its shape and on the adapter, so hardware is
//! asked: where a plan first has a product of some size, the ways to do it are run on the plan's own memory and timed. In software
//! each way takes so long to compile that it is chosen by rule.

use std::collections::{BTreeMap, BTreeSet};

use web_time::Instant;

use super::context::{Checks, Context};
use super::launch::{Launch, vectors};
use super::pipelines::Pipelines;
use super::program::Dispatch;
use super::submit;
use super::weights::Form;
use crate::engine::EngineError;
use crate::engine::plan::{Kernel, Step};

/// Operations below which a product is not worth the question.
const LEAST: usize = 1 << 20;
/// Operations of a plan's products from which on they go by the largest tile in software: a tenth of a second there, against one that
/// it takes to compile.
const LARGE: usize = 1 << 29;
/// And the least k of those: with less, too much of the time goes into writing results.
const DEEP: usize = 256;
/// Seconds that a measurement should take, and those that one plan may spend on all of its products.
const WORTH: f64 = 0.002;
const BUDGET: f64 = 0.15;
/// Runs of a product in a measurement at most.
const MOST: f64 = 256.0;

/// What a thread of a product makes, and whether it shares what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// 8 x 4 results.
    Narrow,
    /// 8 x 8 results.
    Wide,
    /// 16 x 16 results.
    Large,
    /// 4 x 4 results of 32 x 32 that a workgroup makes from what it reads once.
    Shared,
}

/// Batch, m, k and n of a product up to the next power of two, and which four neighbours of its sides lie together.
type Class = [usize; 6];

/// Which way products go.
pub(super) struct Tiles {
    software: bool,
    /// Whether unknown products are timed.
    pub(super) measure: bool,
    /// The way of all products that can go it.
    pub(super) only: Option<Tile>,
    known: BTreeMap<Class, Tile>,
    /// Neighbours of sides whose products are many in the plan at hand.
    many: BTreeSet<[usize; 2]>,
    /// How numbers lie in its slots.
    forms: Vec<Form>,
}

impl Tiles {
    pub(super) fn new(software: bool) -> Self {
        let (known, many) = Default::default();
        Self { software, measure: !software, only: None, known, many, forms: vec![] }
    }

    /// What was found out: batch, m, k, n, rounded up to powers of two, and the fastest way.
    pub(super) fn known(&self) -> impl Iterator<Item = ([usize; 4], Tile)> {
        self.known.iter().map(|(&[batch, m, k, n, ..], tile)| ([batch, m, k, n], *tile))
    }

    /// The way of a product.
    fn of(&self, step: &Step) -> Tile {
        let ways = self.ways(step);
        let only = self.only.filter(|it| ways.contains(it));
        only.or_else(|| self.known.get(&class(step)).copied()).unwrap_or(ways[0])
    }

    /// How a product can be done, first what is chosen unasked: 8 x 8 results a thread read less than 8 x 4, but hardware wants many
    /// threads more than few reads.
    fn ways(&self, step: &Step) -> Vec<Tile> {
        let [batch, m, k, n] = sizes(step);
        let large = fits_large(step);
        let wide = neighbours(step).iter().all(|it| *it > 0) && n > 4;
        let large_first = is_deep(step) && self.many.contains(&neighbours(step));
        let wide_first = wide && (self.software || batch * m.div_ceil(8) * n.div_ceil(8) >= 1 << 14);
        let mut ways = vec![];
        ways.extend(large_first.then_some(Tile::Large));
        ways.extend(wide_first.then_some(Tile::Wide));
        ways.push(Tile::Narrow);
        ways.extend((wide && !wide_first).then_some(Tile::Wide));
        ways.extend((large && !large_first).then_some(Tile::Large));
        ways.extend((k > 8).then_some(Tile::Shared));
        ways
    }

    /// Looks over a plan before its steps are launched.
    pub(super) fn weigh(&mut self, steps: &[Step], forms: Vec<Form>) {
        self.forms = forms;
        let mut operations = BTreeMap::<[usize; 2], usize>::new();
        for step in steps.iter().filter(|it| self.software && is_product(it) && is_deep(it)) {
            let sum = operations.entry(neighbours(step)).or_default();
            *sum = sum.saturating_add(step.flops());
        }
        self.many = operations.into_iter().filter(|(_, it)| *it >= LARGE).map(|(sides, _)| sides).collect();
    }

    /// How the device does a step.
    pub(super) fn launch(&self, step: &Step) -> Result<Launch, EngineError> {
        self.by(step, if is_product(step) { self.of(step) } else { Tile::Narrow })
    }

    fn by(&self, step: &Step, tile: Tile) -> Result<Launch, EngineError> {
        Launch::new(step, self.software, tile, &self.forms)
    }

    /// Times the products of a plan whose size is unknown, and has all go the way that is the fastest.
    pub(super) async fn learn(
        &mut self,
        context: &Context,
        pipelines: &mut Pipelines,
        steps: &[Step],
        dispatches: &mut [Dispatch],
    ) -> Result<(), EngineError> {
        if !self.measure || self.only.is_some() {
            return Ok(());
        }
        let (start, before) = (Instant::now(), self.known.len());
        let asks = |step: &Step| is_product(step) && step.flops() >= LEAST;
        for (step, dispatch) in steps.iter().zip(&*dispatches).filter(|(step, _)| asks(step)) {
            if !self.known.contains_key(&class(step)) && start.elapsed().as_secs_f64() < BUDGET {
                let tile = self.fastest(context, pipelines, step, dispatch).await?;
                self.known.insert(class(step), tile);
            }
        }
        if self.known.len() == before {
            return Ok(());
        }
        let mut checks = Checks::default();
        for (step, dispatch) in steps.iter().zip(dispatches).filter(|(step, _)| asks(step)) {
            *dispatch = dispatch.by(context, pipelines, &self.launch(step)?, &mut checks);
        }
        checks.pass(context).await
    }

    /// The fastest way of a product whose memory is there; one that the driver refuses is none.
    async fn fastest(
        &self,
        context: &Context,
        pipelines: &mut Pipelines,
        step: &Step,
        known: &Dispatch,
    ) -> Result<Tile, EngineError> {
        let mut found: Option<(f64, Tile)> = None;
        let mut runs = 1.0;
        for tile in self.ways(step) {
            let mut checks = Checks::default();
            let dispatch = known.by(context, pipelines, &self.by(step, tile)?, &mut checks);
            if checks.pass(context).await.is_err() {
                pipelines.clear();
                continue;
            }
            // The first run compiles, and says how many a measurement needs.
            time(context, &dispatch, 1).await?;
            if found.is_none() {
                runs = (WORTH / time(context, &dispatch, 4).await? * 4.0).clamp(1.0, MOST);
            }
            let seconds = time(context, &dispatch, runs as u32)
                .await?
                .min(time(context, &dispatch, runs as u32).await?);
            if found.is_none_or(|(least, _)| seconds < least) {
                found = Some((seconds, tile));
            }
        }
        Ok(found.map_or(Tile::Narrow, |(_, tile)| tile))
    }
}

/// Seconds that some runs of a dispatch take.
async fn time(context: &Context, dispatch: &Dispatch, runs: u32) -> Result<f64, EngineError> {
    let start = Instant::now();
    let flight = submit(context, 0, |encoder| {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        (0..runs).for_each(|_| dispatch.encode(&mut pass));
    });
    flight.land(context).await?;
    Ok(start.elapsed().as_secs_f64().max(1e-6))
}

fn is_product(step: &Step) -> bool {
    matches!(step.kernel, Kernel::Matmul { .. })
}

/// Batch, m, k and n.
fn sizes(step: &Step) -> [usize; 4] {
    let [a, w, ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    [a.shape[0] * a.shape[1], a.shape[2], a.shape[3], w.shape[3]]
}

/// Whether a large tile has something to do.
fn fits_large(step: &Step) -> bool {
    let [_, m, _, n] = sizes(step);
    neighbours(step).iter().all(|it| *it > 0) && n > 8 && m > 8
}

/// Whether it has much to do before it writes.
fn is_deep(step: &Step) -> bool {
    fits_large(step) && sizes(step)[2] >= DEEP
}

/// Which four neighbours lie in one vec4 of the left and the right side: none (0), those along m or n (1), those along k (2).
pub(super) fn neighbours(step: &Step) -> [usize; 2] {
    let [a, w, ..] = &step.inputs[..] else { unreachable!("{step:?} has two inputs") };
    // Beyond the end of k only a scalar read of a finds zeros.
    let columns = vectors(a, 2) && a.shape[3].is_multiple_of(4);
    let left = if vectors(a, 3) { 2 } else { usize::from(columns) };
    let right = if vectors(w, 2) { 2 } else { usize::from(vectors(w, 3)) };
    [left, right]
}

fn class(step: &Step) -> Class {
    let ([batch, m, k, n], [left, right]) = (sizes(step).map(usize::next_power_of_two), neighbours(step));
    [batch, m, k, n, left, right]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::Plan;
    use crate::graph::Graph;
    use crate::tensor::Tensor;

    /// A dispatch goes another way with the bindings that it has, its parameters among them.
    #[test]
    fn all_ways_of_a_product_have_the_same_parameters() {
        for n in [1, 12, 32, 80, 200] {
            let g = Graph::default();
            let [x, w] = [[70, 32], [32, n]].map(|shape| g.input(&Tensor::from_fn(&shape, |i| i[1] as f32)));
            x.matmul(w).keep("y");
            let plan = Plan::compile(&g.finish());
            let of = |tile| {
                Launch::new(&plan.steps[0], true, tile, &[Form::F32; 3])
                    .map(|it| (it.params, it.inputs.len()))
                    .ok()
            };
            let narrow = of(Tile::Narrow);
            assert!(narrow.is_some());
            assert!(
                [Tile::Wide, Tile::Large, Tile::Shared].into_iter().all(|tile| of(tile) == narrow),
                "{n} columns"
            );
        }
    }
}
