#include "daemon/runtime/spares.h"

#include <algorithm>
#include <ranges>

namespace fieldpost::runtime {

namespace {

// For one office. The older one may be going into use just now: its first frame can arrive after
// the mark of the newer one, which travels another way.
constexpr std::ptrdiff_t kept_max = 2;
// A link that comes back for seconds is worth the asking. It costs 9 kB where nobody answers.
constexpr std::chrono::milliseconds short_break = std::chrono::seconds{45};

}  // namespace

const Spares::Spare* Spares::find(OfficeId office) const {
    const auto found = dialled_.find(office);
    return found == dialled_.end() ? nullptr : &found->second;
}

const Spares::Spare* Spares::ready(OfficeId office) const {
    const auto* spare = find(office);
    return spare != nullptr && spare->is_ready ? spare : nullptr;
}

std::optional<Spares::Spare> Spares::take(OfficeId office) {
    auto node = dialled_.extract(office);
    return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
}

std::optional<link::ConnectionId> Spares::keep(OfficeId office, link::ConnectionId connection) {
    const auto is_theirs = [&](const auto& one) { return one.first == office; };
    std::optional<link::ConnectionId> too_many;
    if (std::ranges::count_if(kept_, is_theirs) >= kept_max) {
        const auto oldest = std::ranges::find_if(kept_, is_theirs);
        too_many = oldest->second;
        kept_.erase(oldest);
    }
    kept_.emplace_back(office, connection);
    return too_many;
}

std::optional<OfficeId> Spares::take_kept(link::ConnectionId connection) {
    const auto found = std::ranges::find(kept_, connection, &decltype(kept_)::value_type::second);
    if (found == kept_.end()) {
        return std::nullopt;
    }
    const auto office = found->first;
    kept_.erase(found);
    return office;
}

std::vector<link::ConnectionId> Spares::kept() const {
    std::vector<link::ConnectionId> all;
    all.reserve(kept_.size());
    std::ranges::copy(std::views::values(kept_), std::back_inserter(all));
    return all;
}

bool Spares::went(link::ConnectionId connection) {
    take_kept(connection);
    return std::erase_if(dialled_, [&](const auto& entry) {
               return entry.second.connection == connection;
           }) != 0;
}

bool Spares::is_asked_often(OfficeId office, const std::string& endpoint, Instant now) const {
    const auto* spare = ready(office);
    return spare != nullptr && spare->endpoint == endpoint &&
           has_died_within(office, short_break, now);
}

bool Spares::has_died_within(OfficeId office, std::chrono::milliseconds span, Instant now) const {
    const auto died = died_.find(office);
    return died != died_.end() && now - died->second <= span;
}

}  // namespace fieldpost::runtime
