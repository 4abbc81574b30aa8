// Registers, and what is decoded of them.
#include "crypto/register_seal.h"
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

const Register* Ledger::kept(const RegisterName& name) const {
    const auto found = registers_.find(name);
    return found == registers_.end() ? nullptr : &found->second;
}

std::vector<const Register*> Ledger::enrolments(OfficeId index) const {
    const RegisterKey key{index, static_cast<std::uint8_t>(RegisterKind::enrolment),
                          enrolment_subject(index)};
    std::vector<const Register*> all;
    for (auto at = registers_.lower_bound(key); at != registers_.end() && at->first.key == key;
         ++at) {
        all.push_back(&at->second);
    }
    return all;
}

ShortHash Ledger::register_hash(const RegisterName& name) const {
    const auto found = register_hashes_.find(name);
    return found == register_hashes_.end() ? ShortHash{} : found->second;
}

void Ledger::index_register(const Register& entry) {
    register_hashes_.insert_or_assign(name_of(entry),
                                      short_hash(crypto::register_hash(network(), entry)));
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt)) {
        if (const auto author = read_receipt_subject(entry.key.subject)) {
            decoded_.forget(entry.key.signer, *author);
        }
    }
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::office)) {
        if (auto statement = decode_office_statement(entry.payload)) {
            statements_.insert_or_assign(entry.key.signer, std::move(*statement));
        }
    }
}

bool Ledger::keep_register(const Register& entry) {
    const auto name = name_of(entry);
    const auto* old = kept(name);
    if (old != nullptr) {
        // If there are two forks, the one that closes more counts: the lower number.
        const auto rank = [&](const Register& r) {
            return std::tuple(r.version, UINT32_MAX - fork_start(r).value_or(UINT32_MAX),
                              crypto::register_hash(network(), r));
        };
        if (rank(entry) <= rank(*old)) {
            return false;
        }
    }
    registers_.insert_or_assign(name, entry);
    index_register(entry);
    write(put_register(network(), entry));
    touch_leaf(leaf_of_register(entry.key));
    news_.registers.insert(name);
    return true;
}

OfficeId Ledger::leaf_of_register(const RegisterKey& key) {
    return key.signer == authority_signer ? OfficeId{0} : key.signer;
}

std::vector<const Register*> Ledger::registers_of(OfficeId signer) const {
    std::vector<const Register*> all;
    for (auto at = registers_.lower_bound(RegisterKey{signer, 0, {}});
         at != registers_.end() && at->first.key.signer == signer; ++at) {
        all.push_back(&at->second);
    }
    return all;
}

std::vector<const Register*> Ledger::registers_in_leaf(OfficeId office) const {
    auto all = is_closed(office) ? std::vector<const Register*>{} : registers_of(office);
    if (office == OfficeId{0}) {
        std::ranges::copy(registers_of(authority_signer), std::back_inserter(all));
        std::ranges::sort(all, {}, [this](const Register* entry) {
            return std::tuple(entry->key.kind, entry->key.subject, register_hash(name_of(*entry)));
        });
    }
    return all;
}

void Ledger::drop_register(const RegisterName& name) {
    registers_.erase(name);
    register_hashes_.erase(name);
    if (is_of(name.key.kind, RegisterKind::receipt)) {
        if (const auto author = read_receipt_subject(name.key.subject)) {
            decoded_.forget(name.key.signer, *author);
            if (*author == us()) {
                heard_receipts_.forget(name.key.signer);
            }
        }
    }
    if (is_of(name.key.kind, RegisterKind::office)) {
        statements_.erase(name.key.signer);
    }
    write(storage::DropRegister{name.key.signer, name.key.kind, name.key.subject, name.enrolment});
    touch_leaf(leaf_of_register(name.key));
    news_.registers.erase(name);
}

std::shared_ptr<const Receipt> Ledger::receipt(OfficeId signer, OfficeId author) const {
    const RegisterKey key{signer, static_cast<std::uint8_t>(RegisterKind::receipt),
                          receipt_subject(author)};
    return decoded_.get(signer, author, newest(key));
}

const OfficeStatement* Ledger::statement(OfficeId office) const {
    const auto found = statements_.find(office);
    return found == statements_.end() ? nullptr : &found->second;
}

const OwnLog* Ledger::author_on(const LogKey& log) const {
    const auto* told = statement(log.author);
    return told == nullptr ? nullptr : told->log(log.incarnation, log.record_class);
}

bool Ledger::is_own_prekey(OfficeId office, const Prekey& prekey) const {
    const auto checked = checked_prekeys_.find(office);
    if (checked != checked_prekeys_.end() && checked->second == prekey) {
        return true;
    }
    const auto* keys = roster_.find(office);
    if (keys == nullptr || !crypto::verify_prekey(keys->mail, network(), office, prekey)) {
        return false;
    }
    checked_prekeys_.insert_or_assign(office, prekey);
    return true;
}

const Custody* Ledger::custody(OfficeId signer) const {
    const auto found = custody_.find(signer);
    return found == custody_.end() ? nullptr : &found->second;
}

bool Ledger::keep_custody(const Custody& custody) {
    const auto* old = this->custody(custody.signer);
    if (old != nullptr && custody.version <= old->version) {
        return false;
    }
    custody_.insert_or_assign(custody.signer, custody);
    write(storage::PutCustody{custody.signer, encode_custody(custody)});
    return true;
}

}  // namespace fieldpost::engine
