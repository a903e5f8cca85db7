//! Gives the agent its build time, one of the three times it relies on (`src/platform/clock.rs`). On Windows also adds the program's
//! version information (maker and version, which people and other programs look at) and its manifest, without which Windows treats it as a
//! program for Vista.

use std::io;

/// Requests no more rights than the caller has, and declares support for Windows 7 to 11 (`supportedOS`: 7, 8, 8.1, 10
/// and 11).
const MANIFEST: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
  <trustInfo xmlns="urn:schemas-microsoft-com:asm.v3"><security><requestedPrivileges>
    <requestedExecutionLevel level="asInvoker" uiAccess="false"/>
  </requestedPrivileges></security></trustInfo>
  <compatibility xmlns="urn:schemas-microsoft-com:compatibility.v1"><application>
    <supportedOS Id="{35138b9a-5d96-4fbd-8e2d-a2440225f93a}"/>
    <supportedOS Id="{4a2f28e3-53b9-4441-ba9c-d69d4a4a6e38}"/>
    <supportedOS Id="{1f676c76-80e1-4239-95bb-83d0f6d0da78}"/>
    <supportedOS Id="{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"/>
  </application></compatibility>
</assembly>"#;

fn main() -> io::Result<()> {
    for folder in ["collect/src", "os/src", "src"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let stated = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = stated.unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "the instant of the build is what this script is for")]
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or(0)
    });
    println!("cargo:rustc-env=TRAM_AN_BUILT_S={seconds}");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "windows") {
        describe()?;
    }
    Ok(())
}

fn describe() -> io::Result<()> {
    let mut resource = winresource::WindowsResource::new();
    resource
        .set("CompanyName", "Trạm An")
        .set("ProductName", "Trạm An")
        .set("FileDescription", "Trạm An: kiểm tra an toàn thông tin của máy (posture agent)")
        .set("InternalName", "posture-agent")
        .set("OriginalFilename", "posture-agent.exe")
        .set_manifest(MANIFEST);
    let variable = |name| std::env::var(name).unwrap_or_default();
    // The crate knows the tool names for common targets only, not for the Windows 7 ones.
    if variable("CARGO_CFG_TARGET_ENV") == "gnu" && !variable("HOST").contains("windows") {
        let tools = if variable("CARGO_CFG_TARGET_ARCH") == "x86" { "i686-w64-mingw32" } else { "x86_64-w64-mingw32" };
        resource.set_windres_path(&format!("{tools}-windres")).set_ar_path(&format!("{tools}-ar"));
    }
    resource.compile()
}
