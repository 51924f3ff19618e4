//! What a page has in its program instead of the library: calls of the module that has it.

use std::future::Future;

use js_sys::{Error, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::Encoding;

#[wasm_bindgen]
extern "C" {
    /// Sees to it that `window.tokens` is there (web/loader.js).
    #[wasm_bindgen(js_namespace = window, js_name = loadTokens, catch)]
    fn load_tokens() -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn parse(json: &[u8], limit: usize) -> Result<usize, JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn forget(tokens: usize) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn encode(tokens: usize, text: &str) -> Result<String, JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn token(tokens: usize, id: u32) -> Result<String, JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn decode(tokens: usize, ids: &[u32]) -> Result<String, JsValue>;
    #[wasm_bindgen(js_namespace = ["window", "tokens"], catch)]
    fn vocabulary(tokens: usize) -> Result<usize, JsValue>;
}

/// What a `tokenizer.json` says, by its number in the module.
pub struct Tokens(usize);

/// Fetches the module, from the moment of the call on, unless it is there.
pub fn load() -> impl Future<Output = Result<(), String>> + 'static {
    let coming = load_tokens().map(JsFuture::from);
    async move {
        let came = match coming {
            Ok(it) => it.await,
            Err(it) => Err(it),
        };
        came.map(drop).map_err(|it| format!("what makes tokens of text could not be loaded: {}", words(&it)))
    }
}

impl Tokens {
    /// Reads a `tokenizer.json`, for a model that takes up to `limit` tokens; or says what is wrong with it.
    pub fn parse(json: &[u8], limit: usize) -> Result<Self, String> {
        parse(json, limit).map(Self).map_err(|it| words(&it))
    }

    /// The tokens of `text`, at most as many as the model takes; what ends every text (`[SEP]`) also ends a text that was cut.
    pub fn encode(&self, text: &str) -> Result<Encoding, String> {
        let json = encode(self.0, text).map_err(|it| words(&it))?;
        serde_json::from_str(&json).map_err(|it| it.to_string())
    }

    /// The token of an id as it is displayed.
    pub fn token(&self, id: u32) -> String {
        token(self.0, id).unwrap_or_else(|_| format!("#{id}"))
    }

    /// The text of `ids`, without the tokens that stand for no word.
    pub fn decode(&self, ids: &[u32]) -> String {
        decode(self.0, ids).unwrap_or_default()
    }

    /// One more than the largest id: how many rows an embedding table must have.
    pub fn vocabulary(&self) -> usize {
        vocabulary(self.0).unwrap_or_default()
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        let _ = forget(self.0); // A module that has stopped keeps what it had.
    }
}

/// What JavaScript threw. A trap of the module ends its call only, and is thrown as well.
fn words(thrown: &JsValue) -> String {
    let said = thrown.dyn_ref::<Error>().map(|it| String::from(it.message()));
    said.unwrap_or_else(|| format!("{thrown:?}"))
}
