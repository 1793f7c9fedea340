//! The kernel's controllers that a limit may need.

/// A controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    Memory,
    Cpu,
    Cpuset,
    Pids,
    Io,
    Hugetlb,
    /// Counts, and limits nothing. What it counts every cgroup of v2 counts.
    Cpuacct,
}

impl Controller {
    pub const ALL: [Controller; 7] = [
        Controller::Memory,
        Controller::Cpu,
        Controller::Cpuset,
        Controller::Pids,
        Controller::Io,
        Controller::Hugetlb,
        Controller::Cpuacct,
    ];

    pub fn v2_name(self) -> &'static str {
        match self {
            Controller::Io => "io",
            other => other.v1_name(),
        }
    }

    pub fn v1_name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
            Controller::Cpuset => "cpuset",
            Controller::Pids => "pids",
            Controller::Io => "blkio",
            Controller::Hugetlb => "hugetlb",
            Controller::Cpuacct => "cpuacct",
        }
    }

    /// Whether cgroup v2 has one of that name.
    pub fn is_of_v2(self) -> bool {
        self != Controller::Cpuacct
    }

    /// What a kernel needs to have it.
    pub fn kernel_option(self) -> &'static str {
        match self {
            Controller::Memory => {
                "CONFIG_MEMCG, and no cgroup_disable=memory (on a Raspberry Pi cgroup_enable=memory \
                 in cmdline.txt)"
            }
            Controller::Cpu => "CONFIG_CGROUP_SCHED, for a quota CONFIG_CFS_BANDWIDTH",
            Controller::Cpuset => "CONFIG_CPUSETS",
            Controller::Pids => "CONFIG_CGROUP_PIDS",
            Controller::Io => "CONFIG_BLK_CGROUP",
            Controller::Hugetlb => "CONFIG_CGROUP_HUGETLB",
            Controller::Cpuacct => "CONFIG_CGROUP_CPUACCT",
        }
    }
}
