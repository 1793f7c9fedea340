//! The container tests: what `launcher` and `init` do, seen from outside and from inside.
//!
//! One static program, run as root and as an ordinary user, on a host or in a machine of its own.
//! Each test starts the launcher as a person would, mostly with the probe as the command.

mod ability;
mod launch;
mod output;
mod pace;
mod rootfs;
mod running;
mod subject;
mod sys;

mod attacks;
mod binds;
mod check;
mod confinement;
mod dev;
mod dns;
mod environment;
mod errors;
mod exit_codes;
mod explain;
mod faults;
mod grace;
mod idmap;
mod images;
mod init_alone;
mod init_behaviours;
mod init_options;
mod init_storm;
mod init_subject;
mod init_terminal;
mod isolation;
mod lifecycle;
mod many;
mod mount_points;
mod mounts;
mod namespaces;
mod nesting;
mod options;
mod overlay;
mod person;
mod plan;
mod proc;
mod root_maps;
mod seccomp;
mod service;
mod signals;
mod soak;
mod start;
mod status;
mod terminal;
mod tty;
mod uptime;
mod user;
