//! Paths and the mounts that hold them, with tables as the kernel writes them.

use std::sync::mpsc;

use super::*;

const TABLE_OF_AN_OFFICE: &str = "\
21 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
22 21 0:20 / /proc rw - proc proc rw
23 21 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=1k
24 21 8:1 / /boot rw - ext4 /dev/sda1 rw
25 21 8:2 / /var rw - xfs /dev/sda2 rw
26 21 0:40 / /home rw - autofs systemd-1 rw,fd=40
27 26 0:41 / /home rw shared:9 - nfs4 10.0.0.1:/home rw
28 21 0:42 / /mnt/ho\\040so rw - cifs //10.0.0.1/x rw
29 23 0:43 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
30 21 0:44 / /usr ro - nfs 10.0.0.1:/usr rw
cut off";

#[test]
fn what_may_hang_is_told_by_kind_and_place() {
    let mounts = mounts(TABLE_OF_AN_OFFICE);
    let holding = |path: &str| holding(&mounts, path).filter(|mount| may_hang(mount)).map(|mount| mount.point.as_str());
    for at_once in ["/etc/passwd", "/bootx", "/var/lib/dpkg/status", "/run/user/1000", "/proc/1/comm", "/"] {
        assert_eq!(holding(at_once), None, "{at_once}");
    }
    for (path, place) in [
        ("/boot", "/boot"),
        ("/boot/vmlinuz", "/boot"),
        ("/home/an/.ssh", "/home"),
        ("/mnt/ho so/x", "/mnt/ho so"),
        ("/run/user/1000/gvfs/x", "/run/user/1000/gvfs"),
        ("/usr/bin/dnf", "/usr"),
    ] {
        assert_eq!(holding(path), Some(place), "{path}");
    }
    assert_eq!(mounts.len(), 10);
}

#[test]
fn a_place_that_hangs_is_asked_by_one_worker_and_given_up() {
    let (go, gate) = mpsc::channel::<()>();
    let place = || "/a/place/that/hangs".to_owned();
    let late = apart(place(), "/a/place/that/hangs/1", move |_| Ok(gate.recv().is_ok()));
    assert_eq!(late, Err(OsError::TimedOut("/a/place/that/hangs/1".to_owned())));
    let again = apart(place(), "/a/place/that/hangs/2", |_| Ok(true));
    assert_eq!(again, Err(OsError::TimedOut("/a/place/that/hangs/2".to_owned())));
    assert_eq!(apart("/another".to_owned(), "/another/1", |path| Ok(path.len())), Ok(10));
    drop(go);
}

#[test]
fn a_file_in_such_a_place_is_read_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "0123456789").unwrap();
    let file = std::fs::File::open(folder.path().join("file")).unwrap();
    let mut distant = Distant { file: Some(file), place: "/far".to_owned() };
    let mut text = String::new();
    assert_eq!(distant.seek(SeekFrom::Start(7)).unwrap(), 7);
    distant.read_to_string(&mut text).unwrap();
    assert_eq!(text, "789");
    distant.file = None;
    assert_eq!(distant.read(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::TimedOut);
}
