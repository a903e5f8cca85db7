//! Reads a recording from its folder: `os.json` (a [`Recorded`] without registry and files), `registry.reg`, and the files under `root/`,
//! where `root/C/Windows/...` stands for `C:\Windows\...`.

use std::path::Path;

use anyhow::Context;

use super::Recorded;
use crate::tree;

impl Recorded {
    /// Reads a recording from its folder.
    ///
    /// # Errors
    /// When `os.json`, `registry.reg` or a file under `root/` cannot be read.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let file = folder.join(name);
            std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
        };
        let recorded: Self = serde_json::from_str(&text("os.json")?).context("read os.json")?;
        let mut recorded = recorded.import(&text("registry.reg")?).context("read registry.reg")?;
        for (path, bytes) in tree::files(&folder.join("root"))? {
            // The first folder is the drive.
            recorded.files.insert(path.to_lowercase().replacen('/', r":\", 1).replace('/', r"\"), bytes);
        }
        Ok(recorded)
    }
}
