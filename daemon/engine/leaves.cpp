#include "daemon/engine/leaves.h"

#include "crypto/hash.h"

namespace fieldpost::engine {

namespace {

void write_registers(ByteWriter& out, const std::vector<RegisterSummary>& list) {
    out.varint(list.size());
    for (const auto& entry : list) {
        out.u8(entry.kind);
        out.sized(entry.subject);
        write(out, entry.version.incarnation);
        out.u48(entry.version.counter);
        out.raw(entry.hash.view());
    }
}

// Bodies under way are not in it.
LeafSummary leaf_content(const Ledger& ledger, OfficeId office) {
    LeafSummary leaf;
    leaf.office = office;
    const auto* entry = ledger.roster().find(office);
    leaf.is_closed = ledger.is_closed(office) || (entry != nullptr && entry->cut_off);
    for (const auto& [log, state] : ledger.logs_of(office)) {
        if (!state.known.empty() && !ledger.is_closed(office)) {
            leaf.logs.push_back({log.incarnation, log.record_class, state.known, {}});
        }
    }
    leaf.registers = register_list(ledger, office);
    return leaf;
}

}  // namespace

Hash leaf_hash(const Ledger& ledger, OfficeId office) {
    ByteWriter out;
    const auto leaf = leaf_content(ledger, office);
    out.u16(value_of(office));
    out.varint(2 * leaf.logs.size() + (leaf.is_closed ? 1 : 0));
    for (const auto& log : leaf.logs) {
        write(out, log.incarnation);
        out.u8(static_cast<std::uint8_t>(log.record_class));
        write(out, log.not_wanted);
    }
    write_registers(out, leaf.registers);
    return crypto::hash("leaf", ledger.network(), {out.bytes()});
}

RegistersHash registers_hash(const NetworkId& network, const std::vector<RegisterSummary>& list) {
    ByteWriter out;
    write_registers(out, list);
    RegistersHash all;
    std::ranges::copy(
        crypto::hash("leaf-registers", network, {out.bytes()}).first(RegistersHash::size),
        all.bytes.begin());
    return all;
}

std::vector<RegisterSummary> register_list(const Ledger& ledger, OfficeId office) {
    std::vector<RegisterSummary> list;
    for (const auto* entry : ledger.registers_in_leaf(office)) {
        list.push_back({entry->key.kind, entry->key.subject, entry->version,
                        ledger.register_hash(ledger.name_of(*entry))});
    }
    return list;
}

LeafSummary summary_of(Ledger& ledger, OfficeId office, Detail detail, OfficeId reader) {
    ledger.bound_logs();
    auto leaf = leaf_content(ledger, office);
    const std::size_t listed = detail == Detail::hash     ? 0
                               : detail == Detail::newest ? newest_registers
                                                          : leaf.registers.size();
    if (leaf.registers.size() > listed) {
        leaf.all_registers = registers_hash(ledger.network(), leaf.registers);
        std::ranges::sort(leaf.registers, std::ranges::greater{}, &RegisterSummary::version);
        leaf.registers.resize(listed);
    }
    for (const auto& [id, partial] : ledger.partials()) {
        if (partial.log.author != office || ledger.is_closed(office)) {
            continue;
        }
        const auto same = [&](const LogSummary& log) {
            return log.incarnation == partial.log.incarnation &&
                   log.record_class == partial.log.record_class;
        };
        auto log = std::ranges::find_if(leaf.logs, same);
        if (log == leaf.logs.end()) {
            leaf.logs.push_back({partial.log.incarnation, partial.log.record_class, {}, {}});
            log = std::prev(leaf.logs.end());
        }
        const bool is_to_go_on = !partial.is_from_one || partial.prefix_from == reader;
        log->partials.push_back({partial.run.first, short_hash(id), partial.checked,
                                 is_to_go_on ? partial.prefix_part : 0,
                                 is_to_go_on ? partial.prefix_bytes : 0});
    }
    return leaf;
}

}  // namespace fieldpost::engine
