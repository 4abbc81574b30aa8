#include "crypto/key_file.h"

namespace fieldpost::crypto {

namespace {

constexpr std::string_view key_magic = "fpostkey";
constexpr std::uint8_t key_file_version = 1;

enum class KeyClass : std::uint8_t { machine = 1, mail = 2 };
enum class Slot : std::uint8_t { open = 0 };

Bytes head_of(KeyClass key_class) {
    ByteWriter out;
    out.raw(as_bytes(key_magic));
    out.u8(key_file_version);
    out.u8(static_cast<std::uint8_t>(key_class));
    return out.take();
}

Bytes sealed_file(KeyClass key_class, ByteWriter content) {
    const auto head = head_of(key_class);
    const auto master = SealKey::random();
    auto plain = content.take();
    ByteWriter out;
    out.raw(head);
    out.u8(1);  // number of slots
    out.u8(static_cast<std::uint8_t>(Slot::open));
    out.u16(SealKey::size);
    out.raw(master.view());
    out.raw(seal_value(master, head, plain));
    wipe(plain);
    return out.take();
}

Result<Bytes> opened_file(KeyClass key_class, BytesView file) {
    ByteReader in(file);
    const auto corrupt = [] { return fail(Errc::corrupt, "key file: damaged, or none of ours"); };
    const auto head = in.read(key_magic.size() + 2);
    if (!head || !equal(head->first(key_magic.size()), as_bytes(key_magic))) {
        return corrupt();
    }
    if ((*head)[key_magic.size()] != std::byte{key_file_version}) {
        return fail(Errc::unsupported, "key file: written by a newer release");
    }
    if (!equal(*head, head_of(key_class))) {
        return corrupt();
    }
    const auto slots = in.read_u8();
    std::optional<SealKey> master;
    for (unsigned i = 0; slots && i < *slots; ++i) {
        const auto type = in.read_u8();
        const auto size = in.read_u16();
        const auto content = size ? in.read(*size) : fail(Errc::corrupt, "");
        if (!type || !content) {
            return corrupt();
        }
        if (*type == static_cast<std::uint8_t>(Slot::open) && content->size() == SealKey::size) {
            master = SealKey::from(*content);
        }
    }
    if (!master) {
        return fail(Errc::unsupported, "key file: no slot that this release can open");
    }
    return open_value(*master, *head, in.rest());
}

template <class Key>
Result<Key> read_secret(ByteReader& in) {
    return Key::from(TRY(in.read(Key::size)));
}

Result<MachineKeys> read_machine_keys(ByteReader& in) {
    auto identity = TRY(read_secret<SigningSeed>(in));
    auto link = TRY(read_secret<BoxSecret>(in));
    auto store_key = TRY(read_secret<SealKey>(in));
    auto founding_key = TRY(read_secret<FoundingKey>(in));
    TRY(in.expect_end("machine keys"));
    return MachineKeys{SigningKey::from_seed(std::move(identity)),
                       BoxKeyPair::from_secret(std::move(link)), std::move(store_key),
                       std::move(founding_key)};
}

Result<MailKeys> read_mail_keys(ByteReader& in) {
    MailKeys keys;
    keys.signing = SigningKey::from_seed(TRY(read_secret<SigningSeed>(in)));
    keys.archive = BoxKeyPair::from_secret(TRY(read_secret<BoxSecret>(in)));
    if (TRY(in.read_u8()) != 0) {
        keys.authority = SigningKey::from_seed(TRY(read_secret<SigningSeed>(in)));
    }
    const auto prekeys = TRY(in.read_u8());
    for (unsigned i = 0; i < prekeys; ++i) {
        const auto epoch = TRY(in.read_u16());
        keys.prekeys.emplace(epoch, BoxKeyPair::from_secret(TRY(read_secret<BoxSecret>(in))));
    }
    TRY(in.expect_end("mail keys"));
    return keys;
}

}  // namespace

Bytes encode_machine_keys(const MachineKeys& keys) {
    ByteWriter out;
    out.raw(keys.identity.seed().view());
    out.raw(keys.link.secret.view());
    out.raw(keys.store_key.view());
    out.raw(keys.founding_key.view());
    return sealed_file(KeyClass::machine, std::move(out));
}

Result<MachineKeys> decode_machine_keys(BytesView file) {
    auto plain = TRY(opened_file(KeyClass::machine, file));
    ByteReader in(plain);
    auto keys = read_machine_keys(in);
    wipe(plain);
    return keys;
}

Bytes encode_mail_keys(const MailKeys& keys) {
    ByteWriter out;
    out.raw(keys.signing.seed().view());
    out.raw(keys.archive.secret.view());
    out.u8(keys.authority ? 1 : 0);
    if (keys.authority) {
        out.raw(keys.authority->seed().view());
    }
    out.u8(static_cast<std::uint8_t>(keys.prekeys.size()));
    for (const auto& [epoch, pair] : keys.prekeys) {
        out.u16(epoch);
        out.raw(pair.secret.view());
    }
    return sealed_file(KeyClass::mail, std::move(out));
}

Result<MailKeys> decode_mail_keys(BytesView file) {
    auto plain = TRY(opened_file(KeyClass::mail, file));
    ByteReader in(plain);
    auto keys = read_mail_keys(in);
    wipe(plain);
    return keys;
}

}  // namespace fieldpost::crypto
