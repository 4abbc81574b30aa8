#include "cli/attachments.h"

#include "crypto/hash.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

Outcome<void> each_piece(const Common& common, const std::string& id, int attachment,
                         const TakePiece& take) {
    wire::Request request;
    auto& wanted = *request.mutable_attachment();
    wanted.set_id(id);
    wanted.set_attachment(static_cast<std::uint32_t>(attachment));
    while (true) {
        wire::Answer answer;
        if (auto asked = ask(common, request, answer); !asked) {
            return asked;
        }
        if (answer.piece().empty()) {
            return {};
        }
        if (auto taken = take(as_bytes(answer.piece())); !taken) {
            return taken;
        }
        wanted.set_offset(wanted.offset() + answer.piece().size());
    }
}

Outcome<std::vector<std::string>> sums_of(const Common& common, const wire::Entry& entry) {
    std::vector<std::string> sums;
    for (int i = 0; i < entry.attachments_size(); ++i) {
        crypto::Sha256 sum;
        const auto read = each_piece(common, entry.id(), i, [&](BytesView piece) {
            sum.add(piece);
            return Outcome<void>{};
        });
        if (!read) {
            return std::unexpected(read.error());
        }
        sums.push_back(to_hex(sum.finish()));
    }
    return sums;
}

}  // namespace fieldpost::cli
