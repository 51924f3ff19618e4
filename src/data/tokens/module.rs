//! What a page loads to make tokens: the library behind functions that the program calls (`page.rs`). Tokenizers are known by
//! numbers, as objects of JavaScript could not be kept in what the program shares between threads elsewhere.

use std::cell::RefCell;
use std::rc::Rc;

use vitrine_tokens::Tokens;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static PARSED: RefCell<Vec<Option<Rc<Tokens>>>> = const { RefCell::new(vec![]) };
}

/// Reads a `tokenizer.json`; returns its number.
#[wasm_bindgen]
pub fn parse(json: &[u8], limit: usize) -> Result<usize, JsError> {
    let it = Tokens::parse(json, limit).map_err(|it| JsError::new(&it))?;
    Ok(PARSED.with_borrow_mut(|all| {
        all.push(Some(Rc::new(it)));
        all.len() - 1
    }))
}

/// Frees what was read.
#[wasm_bindgen]
pub fn forget(tokens: usize) {
    PARSED.with_borrow_mut(|all| drop(all.get_mut(tokens).and_then(Option::take)));
}

/// An `Encoding` as JSON.
#[wasm_bindgen]
pub fn encode(tokens: usize, text: &str) -> Result<String, JsError> {
    let encoding = parsed(tokens)?.encode(text).map_err(|it| JsError::new(&it))?;
    Ok(serde_json::to_string(&encoding)?)
}

/// The token of an id as it is displayed.
#[wasm_bindgen]
pub fn token(tokens: usize, id: u32) -> Result<String, JsError> {
    Ok(parsed(tokens)?.token(id))
}

/// The text of `ids`.
#[wasm_bindgen]
pub fn decode(tokens: usize, ids: &[u32]) -> Result<String, JsError> {
    Ok(parsed(tokens)?.decode(ids))
}

/// One more than the largest id.
#[wasm_bindgen]
pub fn vocabulary(tokens: usize) -> Result<usize, JsError> {
    Ok(parsed(tokens)?.vocabulary())
}

/// What was read under a number. A share of it, so that whatever stops the library leaves the others as they are.
fn parsed(tokens: usize) -> Result<Rc<Tokens>, JsError> {
    let found = PARSED.with_borrow(|all| all.get(tokens).cloned().flatten());
    found.ok_or_else(|| JsError::new("this tokenizer was forgotten"))
}

fn main() {}
