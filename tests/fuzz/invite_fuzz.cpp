// An invitation: the file, and the content that is sealed in it.
#include "crypto/invite.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(invite) {
    fuzz::exact(bytes, &crypto::decode_invite_content, &crypto::encode_invite_content);
    // A file with a code is left out: each try costs as much time as guessing a code.
    if (!crypto::invite_needs_code(bytes)) {
        static_cast<void>(crypto::open_invite(bytes, ""));
    }
}
