//! Stories: people, machines and failures acting on the real programs, on both databases.

mod stories {
    pub(crate) mod books;
    pub(crate) mod browser;
    pub(crate) mod world;

    mod airgap;
    mod antivirus;
    mod backup;
    mod clocks;
    mod debian_patches;
    mod delivery;
    mod disk;
    mod events;
    mod first_minutes;
    mod linux_program;
    mod login;
    mod machine;
    mod packages;
    mod page;
    mod start;
    mod trouble;
    mod waiver;
    mod windows;
    mod windows_7;
    mod windows_installer;
    mod windows_service;
    mod windows_states;
}
