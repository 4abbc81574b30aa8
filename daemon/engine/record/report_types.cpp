#include "daemon/engine/record/report_types.h"

#include "crypto/box.h"
#include "daemon/engine/ledger.h"
#include "proto/limits.h"

namespace fieldpost::engine {

using storage::TypeNumber;

namespace {

Bytes context_of(TypeNumber type) {
    ByteWriter context;
    context.raw(as_bytes("type"));
    context.u32(static_cast<std::uint32_t>(type));
    return context.take();
}

crypto::SealKey key_of(const Ledger& ledger) {
    return crypto::own_key_of(ledger.config().mail->archive, ledger.network());
}

TypeNumber after(TypeNumber type) {
    return TypeNumber{static_cast<std::uint32_t>(type) + 1};
}

}  // namespace

void ReportTypes::load(const Ledger& ledger) const {
    if (is_loaded_) {
        return;
    }
    const auto sealed = ledger.store().types();
    if (!sealed) {
        return;
    }
    is_loaded_ = true;
    const auto key = key_of(ledger);
    for (const auto& [type, value] : *sealed) {
        next_ = std::max(next_, after(type));
        const auto opened = crypto::open_value(key, context_of(type), value);
        ByteReader in(opened ? BytesView(*opened) : BytesView{});
        const auto author = in.read_u16();
        if (!opened || !author) {
            without_name_.push_back(type);
            continue;
        }
        ++added_[OfficeId{*author}];
        numbers_.emplace(std::string(as_text(in.rest())), type);
    }
}

TypeNumber ReportTypes::number_of(Ledger& ledger, const std::string& name, OfficeId author) {
    if (name.empty()) {
        return storage::no_type;
    }
    if (ledger.config().mail == nullptr) {
        return storage::other_type;
    }
    load(ledger);
    if (const auto found = numbers_.find(name); found != numbers_.end()) {
        return found->second;
    }
    auto& added = added_[author];
    if (!is_loaded_ || added >= limits::types_per_office_max) {
        return storage::other_type;
    }
    ++added;
    const auto type = std::exchange(next_, after(next_));
    numbers_.emplace(name, type);
    ByteWriter value;
    value.u16(value_of(author));
    value.raw(as_bytes(name));
    ledger.write(storage::PutType{
        type, crypto::seal_value(key_of(ledger), context_of(type), value.bytes())});
    return type;
}

std::vector<TypeNumber> ReportTypes::numbers_of(const Ledger& ledger,
                                                const std::string& name) const {
    std::vector<TypeNumber> numbers{storage::other_type};
    if (ledger.config().mail == nullptr) {
        return numbers;
    }
    load(ledger);
    numbers.insert(numbers.end(), without_name_.begin(), without_name_.end());
    if (const auto found = numbers_.find(name); found != numbers_.end()) {
        numbers.push_back(found->second);
    }
    return numbers;
}

}  // namespace fieldpost::engine
