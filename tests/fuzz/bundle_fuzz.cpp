// A file on a stick: that of a stranger, and cells that a member sealed around any content.
#include "crypto/bundle_cells.h"
#include "proto/sync_frames.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(bundle) {
    const auto key = crypto::FoundingKey::from(Bytes(crypto::FoundingKey::size));
    crypto::BundleSealer sealer({key, NetworkId{}});
    const auto content = bytes.first(std::min(bytes.size(), crypto::bundle_content_bytes_max));
    auto file = sealer.cell(crypto::BundlePart::rest, content);
    file.insert(file.end(), bytes.begin(), bytes.end());
    crypto::BundleOpener opener({key, NetworkId{}});
    opener.add(file);
    opener.finish();
    const auto cell = opener.next();
    fuzz::must(cell && equal(cell->content, content), "what was sealed opens");
    ByteReader in(cell->content);
    while (!in.at_end()) {
        const auto frame = in.read_sized(content.size());
        if (!frame) {
            break;
        }
        (void)decode_frame(*frame);
    }
    while (opener.next()) {
    }
    fuzz::must(opener.is_over(), "a file has an end");
}
