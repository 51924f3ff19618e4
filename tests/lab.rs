//! The lab: latest request wins, old pictures stay, and failures end in the tile that asked.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vitrine::engine::{Cancel, EngineError};
use vitrine::graph::{Graph, Recording};
use vitrine::lab::{Lab, Runner};
use vitrine::tensor::Tensor;
use vitrine::trace::Trace;

/// A device that does what the recording's label says, and writes down what it ran.
#[derive(Clone, Default)]
struct Fake {
    ran: Arc<Mutex<Vec<f32>>>,
    /// Slow runs go on until it is open.
    gate: Arc<AtomicBool>,
}

impl Runner for Fake {
    fn name(&self) -> String {
        "fake".to_owned()
    }

    fn compiles(&self) -> usize {
        self.ran.lock().unwrap().len()
    }

    async fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<Trace, EngineError> {
        let x = recording.inputs[0].data[0];
        self.ran.lock().unwrap().push(x);
        match recording.labels["does"][0].as_str() {
            "slow" => {
                while !self.gate.load(Ordering::Relaxed) {
                    cancel.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            "fail" => {
                return Err(EngineError::Refused { what: "a kernel".to_owned(), reason: "no".to_owned() });
            }
            "lose" => return Err(EngineError::Lost("unplugged".to_owned())),
            "panic" => panic!("a bug in an engine"),
            _ => {}
        }
        let tensors = [("y".to_owned(), Tensor::scalar(x + 0.5).into())].into();
        Ok(Trace { tensors, ..Trace::default() })
    }
}

const TILE: u64 = 1;

fn recording(x: f32, does: &str) -> Recording {
    let g = Graph::default();
    g.input(&Tensor::scalar(x)).keep("y");
    g.label("does", vec![does.to_owned()]);
    g.finish()
}

fn lab(fake: &Fake) -> Lab {
    let fake = fake.clone();
    Lab::new(move || ready(Ok(fake)), || {})
}

/// Polls until `done`, as frames do.
#[track_caller]
fn until(lab: &mut Lab, done: impl Fn(&Lab) -> bool) {
    let start = Instant::now();
    while !done(lab) {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came to be");
        lab.poll();
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn value(lab: &Lab, tile: u64) -> Option<f32> {
    lab.show(tile).trace.map(|it| it.get("y").unwrap().window(0..1).unwrap()[0])
}

#[test]
fn an_equal_recording_is_run_once() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    for _ in 0..5 {
        lab.request(TILE, recording(1.0, "run"));
        until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    }
    assert_eq!(*fake.ran.lock().unwrap(), [1.0]);
    assert_eq!((lab.runs, lab.compiles), (1, 1));
    assert_eq!(lab.device.as_deref(), Some("fake"));
    assert!(!lab.show(TILE).stale);
}

#[test]
fn the_latest_request_wins_and_the_old_picture_stays() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    lab.request(TILE, recording(2.0, "slow"));
    until(&mut lab, |lab| lab.show(TILE).elapsed.is_some());
    lab.request(TILE, recording(3.0, "run"));
    lab.request(TILE, recording(4.0, "run"));
    assert_eq!(value(&lab, TILE), Some(1.5), "the old picture stays");
    assert!(lab.show(TILE).stale, "and is known to be old");
    until(&mut lab, |lab| value(lab, TILE) == Some(4.5));
    assert_eq!(*fake.ran.lock().unwrap(), [1.0, 2.0, 4.0], "3 was replaced while it waited");
    assert!(!lab.show(TILE).stale);
}

#[test]
fn a_quick_run_may_finish_though_it_is_superseded() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "slow"));
    until(&mut lab, |lab| lab.show(TILE).elapsed.is_some());
    lab.request(TILE, recording(2.0, "slow"));
    fake.gate.store(true, Ordering::Relaxed);
    until(&mut lab, |lab| value(lab, TILE) == Some(2.5));
    assert_eq!(*fake.ran.lock().unwrap(), [1.0, 2.0], "both ran");
    assert_eq!(lab.runs, 2, "and both to the end");
}

#[test]
fn going_back_to_what_is_shown_stops_the_run() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    lab.request(TILE, recording(2.0, "slow"));
    until(&mut lab, |lab| lab.show(TILE).elapsed.is_some());
    lab.request(TILE, recording(1.0, "run"));
    assert!(!lab.show(TILE).stale);
    until(&mut lab, |lab| !lab.computing());
    assert_eq!(value(&lab, TILE), Some(1.5));
    assert_eq!(*fake.ran.lock().unwrap(), [1.0, 2.0]);
}

#[test]
fn tiles_do_not_disturb_each_other() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    for tile in 1..=3 {
        lab.request(tile, recording(tile as f32, "run"));
    }
    until(&mut lab, |lab| (1..=3).all(|tile| value(lab, tile) == Some(tile as f32 + 0.5)));
}

#[test]
fn a_stopped_run_says_so_and_can_be_tried_again() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "slow"));
    until(&mut lab, |lab| lab.show(TILE).elapsed.is_some());
    lab.cancel(TILE);
    until(&mut lab, |lab| !lab.computing());
    lab.request(TILE, recording(1.0, "slow"));
    assert!(!lab.computing(), "asking again in the next frame does not start it");
    assert!(lab.show(TILE).error.is_some());
    fake.gate.store(true, Ordering::Relaxed);
    lab.retry(TILE);
    lab.request(TILE, recording(1.0, "slow"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    assert_eq!(lab.show(TILE).error, None);
}

#[test]
fn an_error_stays_in_its_tile_with_the_old_picture() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    lab.request(TILE, recording(2.0, "fail"));
    until(&mut lab, |lab| lab.show(TILE).error.is_some());
    assert_eq!(lab.show(TILE).error, Some("the GPU refused a kernel: no"));
    assert_eq!(value(&lab, TILE), Some(1.5));
    assert!(lab.fault.is_none(), "other tiles go on");
    lab.request(TILE, recording(3.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(3.5));
    assert_eq!(lab.show(TILE).error, None);
}

#[test]
fn a_lost_device_can_be_replaced() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
    lab.request(TILE, recording(2.0, "lose"));
    until(&mut lab, |lab| matches!(lab.fault, Some(EngineError::Lost(_))));
    lab.switch(vitrine::lab::cpu);
    assert!(lab.fault.is_none());
    assert_eq!(value(&lab, TILE), Some(1.5), "the old picture stays");
    lab.request(TILE, recording(2.0, "lose"));
    until(&mut lab, |lab| value(lab, TILE) == Some(2.0));
}

#[test]
fn a_device_that_cannot_be_opened_is_a_fault() {
    let mut lab = Lab::new(|| ready(Err::<Fake, _>(EngineError::NoGpu("none".to_owned()))), || {});
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| matches!(lab.fault, Some(EngineError::NoGpu(_))));
    until(&mut lab, |lab| !lab.computing());
}

#[test]
fn a_bug_in_the_engine_is_a_fault_and_not_the_end() {
    let mut lab = lab(&Fake::default());
    lab.request(TILE, recording(1.0, "panic"));
    until(&mut lab, |lab| matches!(lab.fault, Some(EngineError::Lost(_))));
    assert!(!lab.computing());
    let fake = Fake::default();
    lab.switch(move || ready(Ok(fake)));
    lab.request(TILE, recording(1.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(1.5));
}

#[test]
fn a_check_gives_way_to_a_picture() {
    let fake = Fake::default();
    let mut lab = lab(&fake);
    lab.check(7, recording(1.0, "slow"), false);
    until(&mut lab, |lab| lab.show(7).elapsed.is_some());
    lab.request(TILE, recording(2.0, "run"));
    until(&mut lab, |lab| value(lab, TILE) == Some(2.5));
    until(&mut lab, |lab| !lab.show(7).stale);
    assert!(lab.show(7).trace.is_none() && lab.show(7).error.is_none(), "it can be asked for again");
    fake.gate.store(true, Ordering::Relaxed);
    lab.check(7, recording(1.0, "slow"), false);
    until(&mut lab, |lab| value(lab, 7) == Some(1.5));
    assert_eq!((lab.runs, lab.compiles), (1, 1), "checks are not counted");
}

#[test]
fn a_check_compares_with_the_cpu() {
    let mut lab = lab(&Fake::default());
    lab.check(7, recording(1.0, "run"), true);
    until(&mut lab, |lab| lab.show(7).trace.is_some());
    let error = lab.show(7).trace.unwrap().get("error").unwrap().window(0..1).unwrap()[0];
    assert_eq!(error, 0.5, "the fake is wrong by a half");
}

#[test]
fn a_closed_tile_is_forgotten() {
    let mut lab = lab(&Fake::default());
    lab.request(TILE, recording(1.0, "slow"));
    until(&mut lab, |lab| lab.show(TILE).elapsed.is_some());
    lab.close(TILE);
    until(&mut lab, |lab| !lab.computing());
    assert!(lab.show(TILE).trace.is_none() && lab.show(TILE).error.is_none());
}
