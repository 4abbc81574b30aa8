// WIRE.md "Seal" once more, for what the product does not seal yet or never will.
#include <sodium.h>

#include "proto/limits.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

const unsigned char* raw(BytesView bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

Bytes seal_piece(const Hash& key, const Hash& ad, BytesView plain, std::uint32_t index, bool last) {
    auto nonce = written_by([&](ByteWriter& out) {
        out.u32(index);
        out.u8(last ? 1 : 0);
    });
    nonce.resize(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    Bytes sealed(plain.size() + tag_bytes);
    auto* out = reinterpret_cast<unsigned char*>(sealed.data());
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, nullptr, raw(plain), plain.size(),
                                               raw(ad.view()), Hash::size, nullptr, raw(nonce),
                                               raw(key.view()));
    return sealed;
}

}  // namespace

HandSealed seal_by_hand(const NetworkId& network, const SigningPublic& author, Header draft,
                        const std::vector<Bytes>& keys, BytesView plain) {
    const auto file_key = crypto::FileKey::random();
    const auto ephemeral = crypto::BoxKeyPair::random();
    draft.prev = {};
    draft.commitment = {};
    draft.ephemeral = ephemeral.public_key;
    draft.body_bytes = sealed_shape(plain.size()).body_bytes;
    const auto core = encode_header(draft);
    const auto of_file_key = [&](std::string_view label) {
        return crypto::keyed_hash(file_key.view(), label, network, {author.view(), core});
    };
    auto header = draft;
    header.commitment = KeyCommitment{of_file_key("commit").bytes};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto& stanza = header.stanzas[i];
        BoxPublic key;
        std::ranges::copy(keys[i], key.bytes.begin());
        const bool of_group = is_group(stanza.recipient);
        const auto recipient = of_group ? BoxPublic{} : key;
        const auto shared = of_group ? crypto::SharedSecret::from(key.view())
                                     : crypto::shared_secret(ephemeral.secret, key).value();
        const auto place = written_by([&](ByteWriter& out) {
            out.u16(value_of(stanza.recipient));
            out.u16(stanza.epoch);
        });
        const auto pad = crypto::keyed_hash(
            shared.view(), "wrap", network,
            {author.view(), draft.ephemeral.view(), recipient.view(), place, core});
        for (std::size_t at = 0; at < WrappedKey::size; ++at) {
            stanza.wrapped.bytes[at] = file_key.view()[at] ^ pad.bytes[at];
        }
    }
    const auto ad = crypto::hash("ad", network, {author.view(), encode_header(header)});
    const BodyShape shape{header.body_bytes};
    ByteWriter body;
    for (std::uint32_t i = 0; i < shape.segment_count(); ++i) {
        const auto size = shape.segment_size(i) - tag_bytes;
        body.raw(seal_piece(of_file_key("payload"), ad, plain.first(size), i,
                            i + 1 == shape.segment_count()));
        plain = plain.subspan(size);
    }
    return {std::move(header), body.take(), hex(file_key.view())};
}

}  // namespace fieldpost::tests
