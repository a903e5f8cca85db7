//! The folder for a USB stick (thư mục cài đặt): the program, named after what it does, and the file that says which server
//! to report to. A double-click connects a machine; nobody types a fingerprint.

use std::fs::File;
use std::io::{Read, Seek, Write};

use anyhow::Context;
use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Made;
use policies::text;

use crate::app::programs::{Kind, Programs};
use crate::web::catalogue::Catalogue;

/// The folder in the archive. Without diacritics, for the archives of Windows 7.
const FOLDER: &str = "TramAn";

/// The file the program reads from its own folder (`agent/src/cli/setup.rs`).
#[derive(Serialize)]
struct Connection<'a> {
    server: &'a str,
    token: &'a str,
    fingerprint: &'a str,
    office: &'a str,
}

/// True when the folder of programs holds a program for Windows.
///
/// # Errors
/// When it cannot be read.
pub(super) fn can_be_made(programs: &Programs) -> std::io::Result<bool> {
    Ok(programs.list()?.programs.iter().any(|program| matches!(program.kind, Kind::Windows64 | Kind::Windows32)))
}

/// The archive (ZIP), in an unnamed temporary file, and its bytes.
///
/// # Errors
/// When a program cannot be read, there is none for Windows, or the archive cannot be written.
pub(super) fn archive(programs: &Programs, made: &Made, office: &str, t: Catalogue) -> anyhow::Result<(File, u64)> {
    let (wide, narrow) = (programs.newest(Kind::Windows64)?, programs.newest(Kind::Windows32)?);
    // The 32-bit program runs on both kinds and chooses.
    let setup = narrow.as_ref().or(wide.as_ref()).context("the programs for Windows are gone")?;
    let connection = Connection { server: &made.server, token: &made.token, fingerprint: &made.fingerprint, office };
    // With the byte order mark that makes the Windows 7 editor read it as UTF-8, and Windows line ends.
    let readme =
        format!("\u{feff}{}\r\n", t.own(text!("TRẠM AN - CÀI ĐẶT TỪ USB\nCơ quan: {0}\n{1}\n\n1. Cắm USB vào máy cần theo dõi. KHÔNG dùng cho máy xử lý bí mật nhà nước.\n2. Mở thư mục TramAn, bấm đúp \"Cài đặt\".\n3. Khi Windows hỏi, bấm \"Có\" (cần tài khoản quản trị).\n4. Ghi phòng và người sử dụng như trong danh mục máy tính, bấm Enter.\n5. Chờ hiện \"Đã kết nối\". Nếu không, làm theo câu hướng dẫn hiện trên màn hình.\n\nXong việc, xoá thư mục này khỏi USB: tệp ket-noi.json chứa mã đăng ký máy.", "TRẠM AN - SET UP FROM A USB STICK\nOffice: {0}\n{1}\n\n1. Plug the stick into the machine. NEVER into one that handles state secrets.\n2. Open the folder TramAn and double-click \"Cài đặt\".\n3. When Windows asks, answer Yes (an administrator is needed).\n4. Type room and person as in the roster, press Enter.\n5. Wait for \"Đã kết nối\" (connected). If it does not appear, follow the sentence on the screen.\n\nAfterwards remove this folder from the stick: ket-noi.json holds the enrolment token.", office, &made.validity)).replace('\n', "\r\n"));
    let mut archive = ZipWriter::new(tempfile::tempfile()?);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let begin = |archive: &mut ZipWriter<File>, name: &str| archive.start_file(format!("{FOLDER}/{name}"), options);
    for (name, text) in
        [("ket-noi.json", serde_json::to_vec_pretty(&connection)?), ("Doc-truoc.txt", readme.into_bytes())]
    {
        begin(&mut archive, name)?;
        archive.write_all(&text)?;
    }
    let named = [("posture-agent-x86_64.exe", &wide), ("posture-agent-i686.exe", &narrow)];
    let named = named.into_iter().filter_map(|(name, program)| Some((name, program.as_ref()?)));
    for (name, program) in std::iter::once(("Cài đặt.exe", setup)).chain(named) {
        begin(&mut archive, name)?;
        (&program.file).rewind()?;
        std::io::copy(&mut (&program.file).take(program.size), &mut archive)?;
    }
    let mut file = archive.finish()?;
    let size = file.stream_position()?;
    file.rewind()?;
    Ok((file, size))
}
