//! The models that can be looked at, and how far each is loaded.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::any::{AnyModel, Kind, Loaded};
use super::fetch::Progress;
use super::source::{self, Files, Place, SourceError};
use super::{Kept, Vision};
use crate::platform;

/// All models, loaded or not. Loading happens beside the interface; [`Zoo::poll`] takes what arrived.
pub struct Zoo(Vec<Model>);

/// One model of the zoo.
pub struct Model {
    /// Stable name: links and the command line use it.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it is for; unknown of a model that somebody brought until it is loaded.
    pub kind: Option<Kind>,
    /// Memory that its weights take, in bytes; unknown until its `config.json` was read.
    pub memory: Option<u64>,
    /// How far it is.
    pub status: Status,
    places: Vec<Place>,
    task: Option<Task>,
}

/// How far a model is.
pub enum Status {
    /// It can be loaded.
    Absent,
    /// Its files are coming.
    Loading {
        /// Bytes of the weights so far.
        received: u64,
        /// Bytes of the weights, once they are known.
        total: Option<u64>,
    },
    /// It can be recorded.
    Ready(AnyModel),
    /// It could not be loaded; why, in words.
    Failed(String),
}

/// What happens beside the interface.
enum Job {
    Inspect(Vec<Place>),
    Load(Vec<Place>),
    Parse(Files),
}

enum Done {
    Memory(u64),
    Model(AnyModel),
}

struct Task {
    progress: Progress,
    result: Receiver<Result<Done, SourceError>>,
}

/// The models that were trained here: id, title, kind, number of parameters (`assets/models/README.md`).
const OWN: [(&str, &str, Kind, u64); 15] = [
    ("collage-cnn", "Collages of clothes, convolutions", Kind::Vision, 72_442),
    ("collage-vit", "Collages of clothes, transformer", Kind::Vision, 215_370),
    ("fashion-cnn", "Clothes, convolutions", Kind::Vision, 72_442),
    ("fashion-gmm", "Clothes, transformer with Gaussian mixture masks", Kind::Vision, 60_754),
    ("fashion-vit", "Clothes, transformer", Kind::Vision, 205_962),
    ("fashion-vit-mean", "Clothes, transformer without a class token", Kind::Vision, 205_834),
    ("fourier-gpt", "Fourier series of three bands, three layers", Kind::Regressor, 58_705),
    ("lag-recall-fast", "Symbols recalled, RetNet", Kind::Recurrent, 117_056),
    ("lines-gpt", "Lines of three kinds, three layers", Kind::Regressor, 58_465),
    ("regression-gpt", "Linear regression, four layers", Kind::Regressor, 77_473),
    ("regression-gpt-1", "Linear regression, one layer", Kind::Regressor, 20_593),
    ("regression-gpt-2", "Linear regression, two layers", Kind::Regressor, 39_553),
    (
        "regression-gpt-fixed",
        "Linear regression with one set of weights, four layers",
        Kind::Regressor,
        77_473,
    ),
    ("shakespeare-gpt", "Shakespeare, character by character", Kind::Decoder, 820_480),
    ("shakespeare-retnet", "Shakespeare, RetNet", Kind::Recurrent, 219_360),
];

impl Default for Zoo {
    /// The zoo as it is at the start: nothing is loaded.
    fn default() -> Self {
        let known = |id: &str, title: &str, kind, parameters: u64, url| Model {
            memory: Some(4 * parameters),
            kind: Some(kind),
            ..Model::new(id, title, places(id, url))
        };
        let full = platform::PAGE.then_some((FULL, "all-MiniLM-L6-v2, full precision"));
        let minilm = std::iter::once(("minilm", "all-MiniLM-L6-v2")).chain(full);
        let minilm = minilm.map(|(id, title)| known(id, title, Kind::Encoder, 22_565_376, Some(MINILM)));
        let own = OWN.map(|(id, title, kind, parameters)| known(id, title, kind, parameters, None));
        // `./run weights` converts it; nobody serves it in this form.
        let lite0 = known("efficientnet-lite0", "EfficientNet-Lite0", Kind::Vision, 4_631_000, None);
        Self(minilm.chain(own).chain([lite0]).collect())
    }
}

/// `MiniLM` with the weights that were published: a page shows it with weights of 8 bits, which come four times as fast.
pub const FULL: &str = "minilm-f32";

/// The id under which a model is listed: a desktop has the full weights anyway.
fn listed(id: &str) -> &str {
    if id == FULL && !platform::PAGE { "minilm" } else { id }
}

/// A model that is fetched: where its files are, and their names with their SHA-256.
type Served = (&'static str, [(&'static str, &'static str); 3]);

/// The files of one revision, so that the hashes are right for good.
const MINILM: Served = (
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/1110a243fdf4706b3f48f1d95db1a4f5529b4d41/",
    [
        ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    ],
);

/// Where a model of the zoo may lie, best first: beside the page; or in folders of this machine, in the program, at an address.
fn places(id: &str, served: Option<Served>) -> Vec<Place> {
    let url = served.map(|it| Place::Url(it.0.to_owned()));
    if platform::PAGE {
        let folders: &[&str] = match id {
            "minilm" => &["minilm-8bit", "minilm"],
            FULL => &["minilm"],
            _ => &[id],
        };
        let beside = folders.iter().map(|it| Place::Url(format!("models/{it}/")));
        return beside.chain(url).collect();
    }
    let own = std::env::var_os("VITRINE_MODELS").map(PathBuf::from);
    let folders = own.into_iter().chain([PathBuf::from("models")]).map(|it| Place::Folder(it.join(id)));
    let program = OWN.iter().any(|it| it.0 == id).then(|| Place::Program(id.to_owned()));
    let cache = source::cache_folder().map(|it| it.join(id));
    let cached = match (served, cache) {
        (Some((url, hashes)), Some(folder)) => {
            let hashes = hashes.map(|(name, hash)| (name.to_owned(), hash.to_owned())).into();
            Some(Place::Kept(Kept { url: url.to_owned(), folder, hashes }))
        }
        (None, folder) => folder.map(Place::Folder),
        (Some(_), None) => url,
    };
    folders.chain(program).chain(cached).collect()
}

impl Zoo {
    /// All models, in the order in which they are listed.
    pub fn models(&self) -> &[Model] {
        &self.0
    }

    /// The models of a kind, and those that may turn out to be.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Model> {
        self.0.iter().filter(move |it| it.kind.is_none_or(|it| it == kind))
    }

    /// A model by its id.
    pub fn get(&self, id: &str) -> Option<&Model> {
        self.0.iter().find(|it| it.id == listed(id))
    }

    /// How far a model is.
    pub fn status(&self, id: &str) -> Option<&Status> {
        self.get(id).map(|it| &it.status)
    }

    /// A model that is ready to be recorded, if it is a `T`.
    pub fn model<T: Loaded>(&self, id: &str) -> Option<&T> {
        self.ready(id)?.get()
    }

    /// A model of images that is ready to be recorded.
    pub fn vision(&self, id: &str) -> Option<&dyn Vision> {
        self.ready(id)?.vision()
    }

    /// A model that is ready to be recorded.
    pub fn ready(&self, id: &str) -> Option<&AnyModel> {
        if let Status::Ready(it) = self.status(id)? { Some(it) } else { None }
    }

    /// Starts to load a model, unless it is loading or ready. After a failure this is the retry.
    pub fn load(&mut self, id: &str) {
        if let Some(model) = self.get_mut(id)
            && model.can_load()
        {
            let unknown = model.memory.is_none() && matches!(model.places[..], [Place::Url(_)]);
            let places = model.places.clone();
            model.start(if unknown { Job::Inspect(places) } else { Job::Load(places) });
        }
    }

    /// Stops loading a model.
    pub fn cancel(&mut self, id: &str) {
        if let Some(model) = self.get_mut(id)
            && let Some(task) = model.task.take()
        {
            task.progress.cancel();
            model.status = Status::Absent;
        }
    }

    /// Makes the browser let go of what it keeps of a model.
    pub fn forget(&self, id: &str) {
        self.get(id).into_iter().flat_map(Model::addresses).for_each(|it| platform::forget(&it));
    }

    /// Takes what arrived since the last frame. True while something is on its way: draw another frame soon.
    pub fn poll(&mut self) -> bool {
        let mut waiting = false;
        for model in &mut self.0 {
            model.poll();
            waiting |= model.task.is_some();
        }
        waiting
    }

    /// A model from files that were dropped or chosen together; returns its id. A fault is its status. What it is for
    /// follows from its `config.json`.
    pub fn add_files(&mut self, name: &str, files: Vec<(String, Vec<u8>)>) -> String {
        let model = self.add(name, vec![]);
        match Files::pick(files) {
            Ok(files) => {
                (model.memory, model.kind) = (files.memory(), files.kind());
                model.start(Job::Parse(files));
            }
            Err(fault) => model.status = Status::Failed(fault.to_string()),
        }
        model.id.clone()
    }

    /// A model in a folder of this machine; returns its id. Starts to load it.
    pub fn add_folder(&mut self, folder: PathBuf) -> String {
        let name =
            folder.file_name().map_or_else(|| "model".to_owned(), |it| it.to_string_lossy().into_owned());
        let id = self.add(&name, vec![Place::Folder(folder)]).id.clone();
        self.load(&id);
        id
    }

    /// A model at an address: a repository or file page of Hugging Face, or a folder of any server. Only its
    /// `config.json` is fetched, so that the memory it needs is known before [`Self::load`] is called again for the
    /// rest. Returns its id.
    pub fn add_url(&mut self, link: &str) -> Result<String, SourceError> {
        let (place, name) = source::place_of_link(link)?;
        let id = self.add(&name, vec![place]).id.clone();
        self.load(&id);
        Ok(id)
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Model> {
        self.0.iter_mut().find(|it| it.id == listed(id))
    }

    fn add(&mut self, name: &str, places: Vec<Place>) -> &mut Model {
        let id = self.free_id(name);
        self.0.push(Model::new(&id, name, places));
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// `name` in kebab case, with a number if it is taken.
    fn free_id(&self, name: &str) -> String {
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
        let id = words.collect::<Vec<_>>().join("-").to_lowercase();
        let id = if id.is_empty() { "model".to_owned() } else { id };
        let numbered = (2..).map(|n| format!("{id}-{n}"));
        let mut candidates = std::iter::once(id.clone()).chain(numbered);
        candidates.find(|it| self.get(it).is_none()).unwrap_or(id)
    }
}

impl Model {
    fn new(id: &str, title: &str, places: Vec<Place>) -> Self {
        let (id, title) = (id.to_owned(), title.to_owned());
        Self { id, title, kind: None, memory: None, status: Status::Absent, places, task: None }
    }

    /// Whether [`Zoo::load`] can do anything for it: files that were dropped are gone once they failed.
    pub fn can_load(&self) -> bool {
        !self.places.is_empty() && matches!(self.status, Status::Absent | Status::Failed(_))
    }

    /// Bytes of its weights that the browser keeps, so that they need not come again.
    pub fn kept(&self) -> u64 {
        self.addresses().map(|it| platform::kept(&it)).sum()
    }

    fn addresses(&self) -> impl Iterator<Item = String> {
        let url = |it: &Place| {
            if let Place::Url(base) = it { Some(format!("{base}{}", source::WEIGHTS)) } else { None }
        };
        self.places.iter().filter_map(url)
    }

    fn start(&mut self, job: Job) {
        let (sender, result) = channel();
        let progress = Progress::default();
        self.task = Some(Task { progress: progress.clone(), result });
        self.status = Status::Loading { received: 0, total: None };
        platform::spawn(async move {
            // Nobody listens after a cancel, and that is fine.
            let _ = sender.send(job.run(&progress).await);
        });
    }

    fn poll(&mut self) {
        let Some(task) = &self.task else { return };
        self.status = match task.result.try_recv() {
            Err(TryRecvError::Empty) => {
                let (received, total) = task.progress.get();
                self.status = Status::Loading { received, total };
                return;
            }
            Err(TryRecvError::Disconnected) => Status::Failed("loading ended unexpectedly".to_owned()),
            Ok(Err(fault)) => Status::Failed(fault.to_string()),
            Ok(Ok(Done::Memory(bytes))) => {
                self.memory = Some(bytes);
                Status::Absent
            }
            Ok(Ok(Done::Model(model))) => {
                (self.memory, self.kind) = (Some(model.sizes().memory()), Some(model.sizes().kind()));
                Status::Ready(model)
            }
        };
        self.task = None;
    }
}

impl Job {
    async fn run(self, progress: &Progress) -> Result<Done, SourceError> {
        match self {
            Self::Inspect(places) => source::memory(&places, progress).await.map(Done::Memory),
            Self::Load(places) => source::load(&places, progress).await.map(Done::Model),
            Self::Parse(files) => files.load().await.map(Done::Model),
        }
    }
}
