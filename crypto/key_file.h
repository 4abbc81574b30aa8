// The files that hold an office's secrets, one for each class of keys.
//
// A file is a master key in one or more slots, and the keys sealed under it. The only slot written
// so far is open: every holder of the file has the keys.
//
// A slot behind a passphrase is coming. A file that has only slots unknown to this release is
// refused as unsupported, and never rewritten.
#pragma once

#include "crypto/identity.h"

namespace fieldpost::crypto {

Bytes encode_machine_keys(const MachineKeys& keys);
// corrupt: damaged, or no such file. unsupported: written by a newer release.
Result<MachineKeys> decode_machine_keys(BytesView file);

Bytes encode_mail_keys(const MailKeys& keys);
Result<MailKeys> decode_mail_keys(BytesView file);

}  // namespace fieldpost::crypto
