//! What can be wrong with a data set, in words that say what to do.

/// Why there is no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It is not on this machine.
    #[error("{what} is not on this machine: {path} is missing. {advice}")]
    Absent {
        /// Which data.
        what: &'static str,
        /// The file that was looked for.
        path: String,
        /// How to get it.
        advice: &'static str,
    },
    /// The system does not give it.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which file.
        path: String,
        /// The system's words.
        reason: std::io::Error,
    },
    /// It is there, but not what it should be.
    #[error("{name} is damaged: {fault}. {advice}")]
    Damaged {
        /// Which file.
        name: String,
        /// What is wrong with it.
        fault: Fault,
        /// How to mend it.
        advice: &'static str,
    },
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// It cannot be unpacked.
    #[error("it is not whole gzip ({0})")]
    Gzip(String),
    /// It is another kind of file.
    #[error("it begins with {found:#010x}; an IDX file of bytes with {axes} axes begins with {wanted:#010x}")]
    Magic {
        /// Its first four bytes.
        found: u32,
        /// What they should be.
        wanted: u32,
        /// How many axes were expected.
        axes: usize,
    },
    /// It ends too early, or too late.
    #[error("it has {have} bytes where its header promises {need}")]
    Length {
        /// Bytes that are there.
        have: usize,
        /// Bytes that should be there.
        need: u64,
    },
    /// It holds another number of things than it should.
    #[error("it holds {have} {what}, not {need}")]
    Count {
        /// Things that are there.
        have: usize,
        /// Of what.
        what: &'static str,
        /// How many there should be.
        need: usize,
    },
    /// A label that stands for no class.
    #[error("label {index} is {label}, and there are {classes} classes")]
    Label {
        /// Its position.
        index: usize,
        /// Its value.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// A text in another encoding.
    #[error("byte {0} is no UTF-8")]
    Encoding(usize),
}
