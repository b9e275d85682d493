//! Keys, pressed as a person presses them.

use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};

use super::Browser;

/// The characters that an American keyboard types with Shift.
const SHIFTED: &str = "~!@#$%^&*()_+{}|:\"<>?";

const SHIFT: char = '\u{e008}';

/// Returns the code of a key in the driver's protocol.
fn key(name: &str) -> char {
    match name {
        "Alt" => '\u{e00a}',
        "ArrowDown" => '\u{e015}',
        "ArrowLeft" => '\u{e012}',
        "ArrowRight" => '\u{e014}',
        "ArrowUp" => '\u{e013}',
        "Backspace" => '\u{e003}',
        "Control" => '\u{e009}',
        "Delete" => '\u{e017}',
        "End" => '\u{e010}',
        "Enter" => '\u{e007}',
        "Escape" => '\u{e00c}',
        "Home" => '\u{e011}',
        "PageDown" => '\u{e00f}',
        "PageUp" => '\u{e00e}',
        "Shift" => SHIFT,
        "Space" => ' ',
        "Tab" => '\u{e004}',
        name => {
            let mut characters = name.chars();
            let character = characters.next().expect("a key");
            assert_eq!(characters.next(), None, "no key is called {name}");
            character
        }
    }
}

fn typed(keys: KeyActions, character: char) -> KeyActions {
    let is_shifted = character.is_ascii_uppercase() || SHIFTED.contains(character);
    let (down, up) = (
        KeyAction::Down { value: character },
        KeyAction::Up { value: character },
    );
    if !is_shifted {
        return keys.then(down).then(up);
    }
    keys.then(KeyAction::Down { value: SHIFT })
        .then(down)
        .then(up)
        .then(KeyAction::Up { value: SHIFT })
}

impl Browser {
    /// Presses a key, with others held: `x`, `Enter`, `Alt+ArrowUp`.
    pub async fn press(&self, keys: &str) {
        let (held, last) = keys.rsplit_once('+').unwrap_or(("", keys));
        let held: Vec<_> = held.split_terminator('+').map(key).collect();
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in &held {
            actions = actions.then(KeyAction::Down { value: *value });
        }
        actions = typed(actions, key(last));
        for value in held.iter().rev() {
            actions = actions.then(KeyAction::Up { value: *value });
        }
        self.perform(actions, keys).await;
    }

    /// Types a text into the element that has the focus.
    pub async fn type_text(&self, text: &str) {
        let actions = text
            .chars()
            .fold(KeyActions::new("keyboard".to_owned()), typed);
        self.perform(actions, text).await;
    }

    /// Replaces the text of the field that has the focus.
    pub async fn replace_text(&self, text: &str) {
        self.press("Control+a").await;
        self.press("Delete").await;
        self.type_text(text).await;
    }

    async fn perform(&self, actions: KeyActions, keys: &str) {
        let performed = self.client.perform_actions(actions).await;
        performed.unwrap_or_else(|error| panic!("{keys}: {error}"));
    }

    /// Presses Tab until the element that a selector names has the focus.
    pub async fn tab_to(&self, selector: &str) {
        let has_focus = format!(
            "!!document.activeElement?.matches({})",
            serde_json::json!(selector)
        );
        let deadline = Instant::now() + Duration::from_mins(1);
        for _ in 0..80 {
            if self.eval(&has_focus).await == true {
                return;
            }
            assert!(Instant::now() < deadline, "Tab takes too long");
            self.press("Tab").await;
        }
        panic!("Tab never reaches {selector}: {}", self.describe().await);
    }

    /// Asserts that an element has the focus soon, and not only the page.
    pub async fn assert_focus(&self) {
        let kept = "document.activeElement && document.activeElement !== document.body";
        self.until("an element has the focus", kept).await;
    }
}
