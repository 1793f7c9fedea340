//! What the profile says of a system call, in one byte. The build script writes it, the launcher
//! reads it.

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// ENOSYS: the profile does not know it.
    Unknown,
    /// It goes to the kernel.
    Allow,
    /// EPERM.
    Refuse,
    /// Allowed for the harmless persons.
    Personality,
    /// Allowed but for some address families.
    Socket,
    /// Allowed but for what types into a terminal.
    Ioctl,
    /// Allowed with this capability, EPERM without.
    Needs(u8),
}

/// Where [`Rule::Needs`] begins.
const NEEDS: u8 = 64;

impl Rule {
    pub const fn to_byte(self) -> u8 {
        match self {
            Rule::Unknown => 0,
            Rule::Allow => 1,
            Rule::Refuse => 2,
            Rule::Personality => 3,
            Rule::Socket => 4,
            Rule::Ioctl => 5,
            Rule::Needs(capability) => NEEDS + capability,
        }
    }

    #[allow(dead_code, reason = "the launcher's half")]
    pub const fn from_byte(byte: u8) -> Rule {
        match byte {
            1 => Rule::Allow,
            2 => Rule::Refuse,
            3 => Rule::Personality,
            4 => Rule::Socket,
            5 => Rule::Ioctl,
            NEEDS.. => Rule::Needs(byte - NEEDS),
            _ => Rule::Unknown,
        }
    }
}
