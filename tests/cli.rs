//! The command line, as a user calls it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tiny;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use vitrine::data::Inputs;
use vitrine::engine::{Cancel, cpu::Cpu};
use vitrine::models::Zoo;
use vitrine::platform::block_on;

fn vitrine(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder of its own for `test`, with the tiny checkpoint in it.
fn folder(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("vitrine-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in tiny::files(&tiny::checkpoint()) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn list_names_every_exhibit() {
    let output = vitrine(&["list"]);
    assert!(output.status.success(), "{}", err(&output));
    let lines: Vec<String> = out(&output).lines().map(str::to_owned).collect();
    let entries = vitrine::exhibits::all();
    assert_eq!(lines.len(), entries.len());
    for (line, entry) in lines.iter().zip(entries) {
        let card = entry.card;
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns, [card.id, card.title, card.paper, &card.year.to_string(), card.formula]);
    }
}

#[test]
fn a_new_exhibit_is_written_and_registered_once() {
    let folder = std::env::temp_dir().join(format!("vitrine-new-{}", std::process::id()));
    let exhibits = folder.join("src/exhibits");
    std::fs::create_dir_all(&exhibits).unwrap();
    let begin = |id: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        command.args(["new-exhibit", id]).current_dir(&folder).output().unwrap()
    };
    assert!(err(&begin("rank-collapse")).contains("works in the folder of Vitrine's source"));
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/src/exhibits/mod.rs");
    std::fs::copy(list, exhibits.join("mod.rs")).unwrap();
    for id in ["Rank", "rank--collapse", "rank_collapse", "2-ranks", "", "../rank"] {
        assert!(err(&begin(id)).contains("small letters"), "{id}");
    }
    assert!(err(&begin("rmt-decay")).contains("there already"));
    let output = begin("rank-collapse");
    assert!(output.status.success(), "{}", err(&output));
    assert!(out(&output).contains("./run update"), "{}", out(&output));
    let text = std::fs::read_to_string(exhibits.join("rank_collapse.rs")).unwrap();
    for name in ["id: \"rank-collapse\"", "title: \"Rank collapse\"", "impl Exhibit for RankCollapse"] {
        assert!(text.contains(name), "{name}");
    }
    assert!(!text.to_lowercase().contains("template"));
    let list = std::fs::read_to_string(exhibits.join("mod.rs")).unwrap();
    assert!(
        list.contains("pub mod rank_collapse;") && list.contains("        rank_collapse::entry(),\n    ]")
    );
    assert!(err(&begin("rank-collapse")).contains("there already"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn trace_writes_what_was_asked_for() {
    let folder = folder("trace");
    let file = folder.join("out.safetensors");
    let (model, out) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let output = vitrine(&["trace", "--model", model, "--text", "the cat sat.", "--out", out]);
    assert!(output.status.success(), "{}", err(&output));
    let bytes = std::fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let shape =
        |name: &str| (tensors.tensor(name).unwrap().dtype(), tensors.tensor(name).unwrap().shape().to_vec());
    assert_eq!(shape("blocks.0.attn.pattern"), (Dtype::F32, vec![2, 6, 6]));
    assert_eq!(shape("blocks.1.attn.pattern"), (Dtype::F32, vec![2, 6, 6]));
    assert_eq!(shape("final"), (Dtype::F32, vec![6, 16]));
    assert_eq!(shape("tokens"), (Dtype::I64, vec![6]));
    assert_eq!(tensors.len(), 4);
    let ids: Vec<u8> = [2i64, 5, 6, 7, 11, 3].iter().flat_map(|id| id.to_le_bytes()).collect();
    assert_eq!(tensors.tensor("tokens").unwrap().data(), ids);
    let numbers: &[f32] = bytemuck::cast_slice(tensors.tensor("blocks.0.attn.pattern").unwrap().data());
    assert!(numbers.chunks(6).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5), "rows sum to 1");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = metadata.metadata().clone().unwrap();
    assert_eq!((&*about["text"], &*about["model"]), ("the cat sat.", model));
    assert_eq!(about["vitrine"], env!("CARGO_PKG_VERSION"));
    assert!(about["device"].starts_with("CPU"), "{}", about["device"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn trace_looks_at_a_picture() {
    let folder = folder("image");
    let out = folder.join("trace.safetensors");
    let out = out.to_str().unwrap();
    let model = ["--model", "fashion-cnn", "--out", out];
    let image = |path: &str| vitrine(&[&["trace", "--image", path][..], &model].concat());
    let output = image("tests/golden/efficientnet.png");
    assert!(output.status.success(), "{}", err(&output));
    let bytes = std::fs::read(out).unwrap();
    let logits = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(logits.names(), ["logits"], "no tokens");
    assert_eq!(logits.tensor("logits").unwrap().shape(), [10]);
    for path in ["Cargo.toml", "tests/golden/no.png"] {
        let output = image(path);
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).starts_with(&format!("vitrine: {path}: ")), "{}", err(&output));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Writes tensors of one element type, whose elements are these bytes.
fn tensors(path: &Path, dtype: Dtype, all: &[(&str, &[usize], Vec<u8>)]) {
    let view =
        |(name, shape, bytes)| (name, TensorView::new(dtype, <[usize]>::to_vec(shape), bytes).unwrap());
    let views = all.iter().map(|(name, shape, bytes)| view((*name, *shape, bytes)));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn run_gives_the_same_on_every_device_and_from_every_precision() {
    let folder = folder("run");
    let [input, output] = ["in", "out"].map(|it| folder.join(it));
    // Numbers that are exact in all four types.
    let numbers: Vec<f32> = (0..12_u8).map(|i| f32::from(i % 5) / 4.0 - 0.5).collect();
    let f32s = || numbers.iter();
    for (dtype, bytes) in [
        (Dtype::F32, f32s().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()),
        (Dtype::F64, f32s().flat_map(|x| f64::from(*x).to_le_bytes()).collect()),
        (Dtype::F16, f32s().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()),
        (Dtype::BF16, f32s().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect()),
    ] {
        tensors(&input, dtype, &["q", "k", "v"].map(|it| (it, &[2, 3, 2][..], bytes.clone())));
        let (input, output) = (input.to_str().unwrap(), output.to_str().unwrap());
        for device in ["cpu", "gpu"] {
            let call = ["run", "attention", "--in", input, "--out", output, "--set", "causal=true"];
            let done = vitrine(&[&call[..], &["--device", device]].concat());
            assert!(done.status.success(), "{dtype} on the {device}: {}", err(&done));
            let bytes = std::fs::read(output).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let tensor = |name: &str| file.tensor(name).unwrap();
            assert_eq!((tensor("pattern").dtype(), tensor("pattern").shape()), (Dtype::F32, &[2, 3, 3][..]));
            let z: Vec<f32> = bytemuck::pod_collect_to_vec(tensor("z").data());
            // The first query of each head sees itself alone; of the second, by hand: weights e^s and e^t of the scores
            // q k / sqrt 2.
            let [s, t] = [[2, 0], [2, 2]]
                .map(|[i, j]| (numbers[i] * numbers[j] + numbers[i + 1] * numbers[j + 1]) / 2.0_f32.sqrt());
            let mixed = |c: usize| (s.exp() * numbers[c] + t.exp() * numbers[2 + c]) / (s.exp() + t.exp());
            assert_eq!((&z[..2], &z[6..8]), (&numbers[..2], &numbers[6..8]), "{dtype} on the {device}");
            for c in 0..2 {
                // A sum of two products in f32.
                assert!((z[2 + c] - mixed(c)).abs() < 1e-6, "{} is not {}", z[2 + c], mixed(c));
            }
            let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
            let about = metadata.metadata().clone().unwrap();
            assert_eq!((&*about["mechanism"], &*about["set"]), ("attention", "causal=true"));
            assert_eq!((&*about["axes.pattern"], &*about["axes.z"]), ("head query key", "head pos d_value"));
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn run_gives_only_what_is_wanted_and_says_what_it_takes() {
    let folder = folder("run-only");
    let [input, output] = ["in", "out"].map(|it| folder.join(it).to_str().unwrap().to_owned());
    let run = |tokens: usize, more: &[&str]| {
        let number = |i: usize| (i * 7919 % 101) as f32 / 50.0 - 1.0;
        let bytes = |seed| (0..4 * tokens * 2).flat_map(move |i| number(i + seed).to_le_bytes()).collect();
        let shape = &[4, tokens, 2][..];
        tensors(
            Path::new(&input),
            Dtype::F32,
            &[("q", shape, bytes(1)), ("k", shape, bytes(2)), ("v", shape, bytes(3))],
        );
        vitrine(&[&["run", "attention", "--in", &input, "--out", &output], more].concat())
    };
    let z = || {
        let bytes = std::fs::read(&output).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        (file.names().len(), bytemuck::pod_collect_to_vec::<u8, f32>(file.tensor("z").unwrap().data()))
    };
    for device in ["cpu", "gpu"] {
        assert_eq!(out(&run(300, &["--device", device])), "");
        let (names, whole) = z();
        assert_eq!((out(&run(300, &["--device", device, "--only", "z"])), names), (String::new(), 2));
        let (names, alone) = z();
        assert_eq!(names, 1);
        // f32 sums of 300 weights that add up to 1, in another order.
        assert!(whole.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-6), "on the {device}");
    }
    // The pattern of 4200 tokens is 282 MB, of 2^20 bytes 269.
    assert_eq!(out(&run(4200, &["--only", "z", "--device", "cpu"])), "");
    assert_eq!(z().1.len(), 4 * 4200 * 2);
    let said = out(&run(4200, &["--device", "cpu"]));
    assert!(said.starts_with("attention of these shapes takes 269 MB"), "{said}");
    assert!(err(&run(3, &["--only", "zz"])).contains("--only zz: it gives pattern, z"));
}

#[test]
fn run_lists_what_there_is() {
    let whole = out(&vitrine(&["run", "--list"]));
    for it in vitrine::registry::all() {
        assert!(whole.contains(&format!("{it}\n")), "{} in {whole}", it.id);
        assert_eq!(out(&vitrine(&["run", it.id, "--list"])), format!("{it}\n"));
    }
    let retention = "retention\t(Q K^T o D) V with D = gamma^(n - m) for m <= n
  in    q [head, pos, d_head]
        k [head, pos, d_head]
        v [head, pos, d_value]
        gamma [head], each a number from 0 to 1
  set   form=parallel (parallel or recurrent or chunkwise): how it is computed
        chunk=64 (a whole number from 1): chunkwise: tokens in a piece
        scale=1 (a number): factor of k; the paper has 1/sqrt d_head
        rotate=false (true or false): q and k turn with their position, from 0
        norm=none (none or rms): of what comes out, by head
        eps=1e-6 (a number from 0): norm: added to the mean of squares
  out   z [head, pos, d_value]
        decay [head, query, key]: D
        state [head, d_head, d_value]: after the last token
  from  Sun et al. 2023, arXiv 2307.08621, eq. 5 to 7
";
    assert!(whole.contains(retention), "{whole}");
}

#[test]
fn run_says_what_is_wrong_in_one_line() {
    let folder = folder("run-faults");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let [good, whole, text, none, result] = ["good", "whole", "text", "none", "result"].map(file);
    let ones = |n: usize| 1_f32.to_le_bytes().repeat(n);
    tensors(Path::new(&good), Dtype::F32, &[("x", &[2, 3], ones(6))]);
    tensors(Path::new(&whole), Dtype::I64, &[("x", &[2, 3], vec![0; 48])]);
    std::fs::write(&text, "x = 1").unwrap();
    let run = |mechanism: &str, input: &str, set: &str| {
        vitrine(&["run", mechanism, "--in", input, "--out", &result, "--set", set])
    };
    for (output, words) in [
        (run("gellu", &good, "a=b"), "there is no mechanism gellu; there are attention, "),
        (run("gelu", &good, "approximate"), "--set approximate: KEY=VALUE is expected"),
        (run("gelu", &good, "approximate=erf"), "approximate=erf: none or tanh is expected"),
        (run("gelu", &good, "exact=true"), "gelu has no parameter exact; it has approximate"),
        (run("attention", &good, "scale=1"), "attention takes no tensor x; it takes q [head, pos, d_head], "),
        (
            run("gelu", &whole, "approximate=tanh"),
            "tensor x holds I64; F32, F16, BF16, F64 and I8 with a scale for each row can be read",
        ),
        (run("gelu", &text, "approximate=tanh"), "this is not a safetensors file"),
        (run("gelu", &none, "approximate=tanh"), "No such file"),
        (vitrine(&["run", "gelu", "--in", &good, "--out", "/no/such/folder/y"]), "cannot be written"),
    ] {
        let fault = err(&output);
        assert_eq!(output.status.code(), Some(2), "{fault}");
        assert!(fault.starts_with("vitrine: ") && fault.contains(words), "{fault}");
        assert_eq!(fault.lines().count(), 1, "{fault}");
        assert!(!Path::new(&result).exists(), "a call that failed writes nothing");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn trace_reads_a_text_with_a_gpt() {
    let folder = folder("gpt");
    let out = folder.join("trace.safetensors");
    let out = out.to_str().unwrap();
    let trace = |text| vitrine(&["trace", "--model", "shakespeare-gpt", "--text", text, "--out", out]);
    let output = trace("To be");
    assert!(output.status.success(), "{}", err(&output));
    let bytes = std::fs::read(out).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let patterns = [0, 1, 2, 3].map(|l| format!("blocks.{l}.attn.pattern"));
    assert_eq!(names, [&patterns.each_ref().map(|it| &**it)[..], &["logits", "tokens"]].concat());
    assert_eq!(tensors.tensor("logits").unwrap().shape(), [5, 84]);
    assert_eq!(about(&bytes)["tokens"], r#"["T","o"," ","b","e"]"#);
    let nothing = trace("");
    assert_eq!(err(&nothing), "vitrine: shakespeare-gpt knows nothing of this text\n");
    std::fs::remove_dir_all(folder).unwrap();
}

fn about(bytes: &[u8]) -> std::collections::HashMap<String, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    metadata.metadata().clone().unwrap()
}

/// Every f32 tensor of a file.
fn numbers(bytes: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let read = |data: &[u8]| data.chunks(4).map(|it| f32::from_le_bytes(it.try_into().unwrap())).collect();
    tensors.tensors().into_iter().map(|(name, it)| (name, read(it.data()))).collect()
}

/// What the tiles of a link keep is what the exhibits record, number by number; on the GPU nearly so.
#[test]
fn trace_writes_what_the_tiles_of_a_link_show() {
    let folder = folder("tiles");
    let out = folder.join("tiles.safetensors");
    let out = out.to_str().unwrap();
    let link = "#v1;picture=collage-3;text=What+ho;tiles=(parts:((exhibit:normgrad,state:(identity:Scaling)),\
                (exhibit:next-character),(exhibit:learning,state:(plays:false))),split:row)";
    let state = vitrine::link::decode(link).unwrap();
    let inputs =
        Inputs { text: state.text.clone(), model: state.model.clone(), picture: state.picture.clone() };
    let tiles = state.tiles.as_ref().unwrap().each().into_iter().cloned().collect::<Vec<_>>();
    let mut zoo = Zoo::default();
    for (device, tolerance) in [("cpu", 0.0), ("gpu", 1e-4)] {
        let output = vitrine(&["trace", link, "--device", device, "--out", out]);
        assert!(output.status.success(), "{}", err(&output));
        let bytes = std::fs::read(out).unwrap();
        let (mut found, about) = (numbers(&bytes), about(&bytes));
        assert_eq!(about["link"], vitrine::link::encode(&state));
        assert_eq!(about["exhibits"], r#"["normgrad","next-character","learning"]"#);
        assert_eq!(about["models"], r#"["collage-cnn","shakespeare-gpt",""]"#);
        for (tile, i) in tiles.iter().zip(1..) {
            let entry = vitrine::exhibits::all().into_iter().find(|it| it.card.id == tile.exhibit).unwrap();
            let exhibit = (entry.open)(tile.state.clone()).unwrap();
            zoo.load(exhibit.model(&inputs));
            while zoo.poll() {}
            let graph = exhibit.record(&inputs, &zoo).unwrap();
            let trace = block_on(Cpu::new().run(&graph.finish(), &Cancel::default())).unwrap();
            assert!(trace.tensors.len() > 3, "{} keeps something", tile.exhibit);
            for (name, kept) in &trace.tensors {
                let expected = block_on(kept.read()).unwrap();
                let found =
                    found.remove(&format!("{i}/{name}")).unwrap_or_else(|| panic!("{i}/{name} is there"));
                let scale = expected.data.iter().fold(1e-3f32, |most, it| most.max(it.abs()));
                let far = expected.data.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert_eq!(found.len(), expected.data.len(), "{i}/{name}");
                // 1e-4 of the largest on a GPU: f32 sums in another order through six layers.
                assert!(far <= tolerance * scale, "{device}: {i}/{name} differs by {far} of {scale}");
            }
            for (name, words) in &trace.labels {
                let found: Vec<String> = serde_json::from_str(&about[&format!("{i}/{name}")]).unwrap();
                assert_eq!(found, *words, "{i}/{name}");
            }
        }
        assert!(found.is_empty(), "nothing else is there: {:?}", found.keys());
    }
    let output = vitrine(&["trace", link, "--keep", "1/layers.*.map", "--out", out]);
    assert!(output.status.success(), "{}", err(&output));
    let found = numbers(&std::fs::read(out).unwrap());
    assert_eq!(found.len(), 6, "one a layer: {:?}", found.keys());
    std::fs::remove_dir_all(folder).unwrap();
}

/// What runs on runs to its end: a training to its last step, integrated gradients until they add up.
#[test]
fn trace_waits_for_what_goes_on() {
    let folder = folder("on");
    let out = folder.join("tiles.safetensors");
    let out = out.to_str().unwrap();
    let tiles = "(parts:((exhibit:learning),(exhibit:method-wall)),split:row)";
    let output = vitrine(&["trace", &format!("#v1;tiles={tiles}"), "--out", out]);
    assert!(output.status.success(), "{}", err(&output));
    let found = numbers(&std::fs::read(out).unwrap());
    let curve = &found["1/curve"];
    assert_eq!(curve.len(), 1500);
    let mean = |it: &[f32]| it.iter().sum::<f32>() / it.len() as f32;
    assert!(curve.iter().all(|it| *it > 0.0), "every step was taken");
    assert!(mean(&curve[1400..]) < 0.5 * mean(&curve[..100]), "it learns: {}", mean(&curve[1400..]));
    assert!(found["2/integrated.gap"][0] <= 0.01, "they add up but for {:?}", found["2/integrated.gap"]);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The lines of Python in the README read what the line above them writes.
#[test]
fn the_readme_reads_a_trace_back() {
    let folder = folder("readme");
    let readme = std::fs::read_to_string("README.md").unwrap();
    let python = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let line = readme.lines().find(|it| it.starts_with("vitrine trace '#v1")).unwrap();
    let link = line.split('\'').nth(1).unwrap();
    let out = folder.join("tiles.safetensors");
    let output = vitrine(&["trace", link, "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", err(&output));
    let read = Command::new("python3").args(["-c", python]).current_dir(&folder).output();
    let read = read.expect("python3 is missing: the README says how to read a trace with it");
    let words = String::from_utf8(read.stdout).unwrap();
    let most = numbers(&std::fs::read(&out).unwrap())["1/layers.3.map"].iter().copied().fold(0.0, f32::max);
    let printed: f32 = words.trim().rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| {
        panic!("{words}{}", String::from_utf8_lossy(&read.stderr));
    });
    assert!(words.starts_with("normgrad conv 1.1 [28, 28] "), "{words}");
    assert_eq!(printed, most, "python prints an f64 that is the f32");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn trace_keeps_by_pattern_and_says_when_the_text_is_cut() {
    let folder = folder("keep");
    let file = folder.join("out.safetensors");
    let (model, out) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let text = "the cat sat on the mat on the cat on the mat.";
    let keep = ["--keep", "blocks.*.mlp.post", "--keep", "pooled"];
    let output = vitrine(&[&["trace", "--model", model, "--text", text, "--out", out][..], &keep].concat());
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(err(&output), "vitrine: the first 10 of 15 tokens are used\n");
    let bytes = std::fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(names, ["blocks.0.mlp.post", "blocks.1.mlp.post", "pooled", "tokens"]);
    assert_eq!(tensors.tensor("blocks.1.mlp.post").unwrap().shape(), [10, 24]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn faults_are_one_line_and_exit_code_two() {
    let folder = folder("faults");
    let model = folder.to_str().unwrap();
    let unwritable = folder.join("no/such/folder/out.safetensors");
    let unwritable = unwritable.to_str().unwrap();
    let broken = folder.join("broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("config.json"), "not a config").unwrap();
    let trace = |model, keep, out| {
        vitrine(&["trace", "--model", model, "--text", "the", "--keep", keep, "--out", out])
    };
    for (output, words) in [
        (trace("gpt9", "final", "x"), "there is no model gpt9: it is no folder, and not one of minilm"),
        (trace(broken.to_str().unwrap(), "final", "x"), "config.json: this is not JSON"),
        (
            trace(model, "blocks.*.nothing", "x"),
            "no tensor is named blocks.*.nothing; there are embed, blocks.*.resid_pre",
        ),
        (trace(model, "final", unwritable), "cannot be written"),
        (
            vitrine(&["trace", "#v1;tiles=(exhibit:nothing)", "--out", "x"]),
            "there is no exhibit called “nothing”",
        ),
        (vitrine(&["trace", "#v1;tiles=((", "--out", "x"]), "this link is damaged: "),
        (vitrine(&["trace", "#v1;model=gpt9", "--out", "x"]), "tile 1, attention: there is no model gpt9"),
        (
            vitrine(&["trace", "#v1;picture=photo-cat.jpg;tiles=(exhibit:normgrad)", "--out", "x"]),
            "tile 1, normgrad: the photograph cat.jpg is not part of the link; --image FILE brings it",
        ),
        (
            vitrine(&["trace", "#v1;tiles=(exhibit:learning)", "--keep", "2/*", "--out", "x"]),
            "no tensor is named 2/*; there are 1/after.",
        ),
        (
            vitrine(&["check", "no-such-exhibit"]),
            "there is no exhibit no-such-exhibit; `vitrine list` names them",
        ),
    ] {
        let fault = err(&output);
        assert_eq!(output.status.code(), Some(2), "{fault}");
        assert!(fault.starts_with("vitrine: ") && fault.contains(words), "{fault}");
        assert_eq!(fault.lines().count(), 1, "{fault}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn wrong_arguments_are_explained() {
    for arguments in [
        &["frobnicate"][..],
        &["trace", "--text", "the"],
        &["check", "--device", "abacus"],
        &["shot", "#v1;", "--out", "x.png", "--size", "0x7"],
        &["bench", "--runs", "many"],
        &["run", "attention"],
    ] {
        let output = vitrine(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).starts_with("error: "), "{arguments:?}: {}", err(&output));
    }
    let help = out(&vitrine(&["--help"]));
    for command in ["open", "list", "check", "trace", "run", "shot", "bench"] {
        assert!(help.contains(&format!("\n  {command}")), "--help names {command}: {help}");
    }
}

#[test]
fn checks_pass_and_say_what_they_measured() {
    let output = vitrine(&["check", "attention"]);
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    assert!(out(&output).lines().count() >= 4, "{}", out(&output));
    for line in out(&output).lines() {
        let verdict = line.split('\t').next().unwrap();
        assert!(verdict == "pass" || verdict == "skip", "{line}");
    }
}
