//! JSON values as words that survive in the fragment of a URL and can be read there.
//!
//! `null`, `true`, `3`, `0.5` are what they look like; text is percent-encoded with `+` for a space, and begins with `~`
//! if it would be mistaken for one of those; `(a,b)` is an array, `(k:v,l:w)` an object, `()` and `(:)` are empty ones.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// Deeper values are refused, so that a hostile link cannot exhaust the stack.
const DEEPEST: usize = 64;

/// `value` as a word.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => write_text(text),
        Value::Array(items) => format!("({})", items.iter().map(write).collect::<Vec<_>>().join(",")),
        Value::Object(fields) if fields.is_empty() => "(:)".to_owned(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}:{}", write_text(key), write(value)));
            format!("({})", fields.collect::<Vec<_>>().join(","))
        }
    }
}

/// The value of a word, or what is wrong with it.
pub(super) fn read(word: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: word, depth: 0 };
    let value = reader.value()?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("“{}” follows a complete value", reader.rest))
    }
}

fn write_text(text: &str) -> String {
    let mut word = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => word.push('+'),
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'!'
            | b'?'
            | b'\''
            | b'*' => {
                word.push(char::from(byte));
            }
            _ => {
                let _ = write!(word, "%{byte:02X}");
            }
        }
    }
    let mistaken = word.is_empty() || word.starts_with('~') || scalar(&word).is_some();
    if mistaken { format!("~{word}") } else { word }
}

fn read_text(word: &str) -> Result<String, String> {
    let word = word.strip_prefix('~').unwrap_or(word);
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits =
                    [rest.next(), rest.next()].map(|it| it.and_then(|it| char::from(it).to_digit(16)));
                let [Some(high), Some(low)] = digits else { return Err(format!("“{word}” is cut off")) };
                (high * 16 + low) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("“{word}” is not text"))
}

/// What a word without quotes stands for, if it is not text.
fn scalar(word: &str) -> Option<Value> {
    match word {
        "null" => return Some(Value::Null),
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        _ => {}
    }
    let whole = word.parse::<u64>().map(Number::from).or_else(|_| word.parse::<i64>().map(Number::from));
    let number = whole.ok().or_else(|| Number::from_f64(word.parse().ok()?))?;
    Some(Value::Number(number))
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn skip(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Result<Value, String> {
        if !self.skip('(') {
            let end = self.rest.find(['(', ')', ',', ':']).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            if word.is_empty() {
                return Err("a value is missing".to_owned());
            }
            return scalar(word).map_or_else(|| read_text(word).map(Value::String), Ok);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let value = self.items()?;
        self.depth -= 1;
        Ok(value)
    }

    /// What follows `(`, up to and with `)`.
    fn items(&mut self) -> Result<Value, String> {
        if self.skip(')') {
            return Ok(Value::Array(vec![]));
        }
        if self.skip(':') {
            return if self.skip(')') {
                Ok(Value::Object(Map::new()))
            } else {
                Err("a name is missing".to_owned())
            };
        }
        let mut items = vec![];
        let mut fields = Map::new();
        loop {
            let item = self.value()?;
            if self.skip(':') {
                let Value::String(name) = item else { return Err(format!("{item} is not a name")) };
                fields.insert(name, self.value()?);
            } else {
                items.push(item);
            }
            if self.skip(')') {
                break;
            }
            if !self.skip(',') {
                return Err("a bracket is not closed".to_owned());
            }
        }
        match (items.is_empty(), fields.is_empty()) {
            (false, true) => Ok(Value::Array(items)),
            (true, false) => Ok(Value::Object(fields)),
            _ => Err("a list has names for some of its values only".to_owned()),
        }
    }
}
