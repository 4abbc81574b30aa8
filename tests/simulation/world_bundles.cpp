// Bundles in the world: does in memory what the daemon does with files.
#include "crypto/bundle_cells.h"
#include "tests/simulation/world.h"

namespace fieldpost::tests {

namespace {

template <class T>
const T* told_of(const std::vector<engine::Notice>& notices) {
    for (const auto& notice : notices) {
        if (const auto* found = std::get_if<T>(&notice)) {
            return found;
        }
    }
    return nullptr;
}

}  // namespace

std::optional<Bundle> World::write_bundle(Node node, const std::vector<Node>& to,
                                          std::uint64_t bytes_max,
                                          const std::function<void()>& after_a_cell,
                                          const Bundle& before,
                                          const engine::RunsByLog& of_others) {
    const engine::BundleId id{next_bundle_++};
    engine::BundleOrder order;
    order.is_in_row = true;
    order.since = before.said;
    order.in_row = before.holds;
    order.of_others = of_others;
    for (const auto target : to) {
        order.targets.push_back(index_of(target));
    }
    if (!is_up(node) || !batch(node, {engine::BundleWanted{id, order}})) {
        return std::nullopt;
    }
    crypto::BundleSealer sealer({keys(node).machine.founding_key, network_.id()});
    Bundle bundle;
    const auto append = [&](const Bytes& more) {
        bundle.bytes.insert(bundle.bytes.end(), more.begin(), more.end());
    };
    while (true) {
        const auto room = sealer.room(bytes_max);
        std::vector<engine::Notice> notices;
        if (!batch(node, {engine::BundleMore{id, room.cell, room.file, true, false}}, &notices)) {
            return std::nullopt;
        }
        const auto* content = told_of<engine::BundleContent>(notices);
        REQUIRE(content != nullptr);
        bundle.reports = content->reports;
        bundle.left_out = content->left_out;
        bundle.has_news = content->has_news;
        bundle.is_addition = content->is_addition;
        if (content->step == engine::BundleContent::Step::over) {
            bundle.said = content->said;
            bundle.holds = content->is_addition ? before.holds : engine::RunsByLog{};
            for (const auto& [log, runs] : content->holds) {
                bundle.holds[log].add(runs);
            }
            break;
        }
        append(sealer.cell(content->part, content->content));
        if (after_a_cell) {
            after_a_cell();
        }
    }
    for (auto more = sealer.end(); !more.empty(); more = sealer.end()) {
        append(more);
    }
    CHECK(bundle.bytes.size() <= bytes_max);
    batch(node, {engine::BundleEnded{id}});
    return bundle;
}

std::optional<engine::BundleReport> World::read_bundle(Node node, BytesView bytes) {
    const engine::BundleId id{next_bundle_++};
    crypto::BundleOpener opener({keys(node).machine.founding_key, network_.id()});
    const auto read_on = [&](std::vector<engine::Input> inputs) {
        while (const auto cell = opener.next()) {
            ByteReader in(cell->content);
            while (!in.at_end()) {
                const auto frame = in.read_sized(cell->content.size());
                if (!frame) {
                    break;
                }
                inputs.emplace_back(engine::BundleFrame{id, to_bytes(*frame)});
            }
        }
        return is_up(node) && (inputs.empty() || batch(node, inputs));
    };
    while (!bytes.empty() && !opener.is_over()) {
        const auto some = bytes.first(std::min<std::size_t>(bytes.size(), 200'000));
        bytes = bytes.subspan(some.size());
        opener.add(some);
        if (!read_on({})) {
            return std::nullopt;
        }
    }
    opener.finish();
    std::vector<engine::Notice> notices;
    if (!read_on({}) || !batch(node, {engine::BundleEnded{id}}, &notices)) {
        return std::nullopt;
    }
    const auto* taken = told_of<engine::BundleTaken>(notices);
    return taken == nullptr ? engine::BundleReport{} : taken->report;
}

}  // namespace fieldpost::tests
