//! A recorded machine from its folder: `os.json` (a [`Recorded`] without registry and files), `registry.reg`, and the files below `root/`,
//! where `root/C/Windows/...` stands for `C:\Windows\...`.

use std::path::Path;

use anyhow::Context;

use super::Recorded;

impl Recorded {
    /// Reads such a folder.
    ///
    /// # Errors
    /// When `os.json`, `registry.reg` or a file below `root/` cannot be read.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let file = folder.join(name);
            std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
        };
        let recorded: Self = serde_json::from_str(&text("os.json")?).context("read os.json")?;
        let mut recorded = recorded.import(&text("registry.reg")?).context("read registry.reg")?;
        let root = folder.join("root");
        if root.is_dir() {
            recorded.load_tree(&root, "")?;
        }
        Ok(recorded)
    }

    fn load_tree(&mut self, folder: &Path, path: &str) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            // The first folder is a drive.
            let path = if path.is_empty() { format!("{name}:") } else { format!(r"{path}\{name}") };
            if entry.file_type()?.is_dir() {
                self.load_tree(&entry.path(), &path)?;
            } else {
                let bytes = std::fs::read(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
                self.files.insert(path, bytes);
            }
        }
        Ok(())
    }
}
