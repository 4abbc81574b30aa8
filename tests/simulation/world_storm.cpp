// A storm: faults and work that chance picks. And the calm after it.
#include "tests/simulation/world.h"

namespace fieldpost::tests {

void for_each_seed(std::uint64_t seeds, const std::function<void(std::uint64_t)>& run) {
    if (const auto only = number_from_environment("FIELDPOST_SEED", 0); only != 0) {
        run(only);
        return;
    }
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        run(seed);
    }
}

// Machines, not links: a clock that comes back wrong, a disk or a carrier's share that is full.
void World::trouble(Node node) {
    switch (any(5)) {
        case 0:
            // One wrong clock at a time, and no two wrong alike: two clocks that agree are
            // believed.
            for (Node other = 0; other < size(); ++other) {
                set_clock(other, 0);
            }
            set_clock(node,
                      (any(2) == 0 ? 86400 : -86400) * static_cast<std::int64_t>(400 + any(3000)));
            crash(node);
            restart(node);
            break;
        case 1:
            set_disk_limit(node, disk(node).used_bytes + any(40'000));
            break;
        case 2:
            set_disk_limit(node, 0);
            break;
        case 3:
            lock_mail(node, any(2) == 0);
            break;
        default:
            set_carry_limit(node, any(2) == 0 ? any(50'000) : std::uint64_t{1} << 30);
    }
}

engine::LinkPolicy World::any_policy() {
    return {.bytes_per_second = any(2) == 0 ? 0 : 1000 + any(100'000),
            .only_urgent = any(4) == 0,
            .bytes_before_only_urgent = any(4) == 0 ? any(20'000) : 0,
            .carries = any(2) == 0};
}

void World::storm(int rounds) {
    for (int round = 0; round < rounds; ++round) {
        const Node a = any(size());
        const Node b = any(size());
        switch (any(13)) {
            case 0:
            case 1:
            case 2: {
                std::vector<Node> to;
                for (Node node = 0; node < size(); ++node) {
                    if (node != a && (node == b || any(3) == 0)) {
                        to.push_back(node);
                    }
                }
                if (!to.empty()) {
                    queue(a, to, static_cast<RecordClass>(1 + any(3)),
                          any(6) == 0 ? any(60'000) : 0);
                }
                break;
            }
            case 3:
            case 4:
                connect(a, b);
                break;
            case 5:
                connect(a, b, any_policy(), any_policy());
                break;
            case 6:
                any(2) == 0 ? cut(a, b) : end(a, b);
                break;
            case 7:
                if (any(3) == 0) {
                    crash(a);
                }
                break;
            case 8:
            case 9:
                restart(a);
                break;
            case 10:
                trouble(a);
                break;
            case 11:
                if (is_up(a) && !promised_.empty()) {
                    auto at = promised_.begin();
                    std::advance(at, static_cast<std::ptrdiff_t>(any(promised_.size())));
                    const bool is_answer = at->first.origin.record_class == RecordClass::reply;
                    if (!is_answer && times_happened(a, engine::What::received, at->first) > 0) {
                        acknowledge(a, storage::ReportKey(at->first));
                    }
                }
                break;
            default:
                pass(std::chrono::milliseconds{any(100'000)});
        }
        for (auto steps = any(30); steps > 0; --steps) {
            step();
        }
    }
}

void World::calm() {
    std::vector<Node> here;
    for (Node node = 0; node < size(); ++node) {
        set_disk_limit(node, 0);
        set_carry_limit(node, std::uint64_t{1} << 30);
        lock_mail(node, false);
        if (!is_taken_over(node)) {
            here.push_back(node);
        }
    }
    restart(0);
    std::erase_if(here, [&](Node node) { return knows_cut_off(0, node); });
    const auto are_all_linked = [&] {
        return std::ranges::all_of(here, [&](Node a) {
            return std::ranges::all_of(here, [&](Node b) { return a == b || is_connected(a, b); });
        });
    };
    for (int round = 0; round < 2 || !are_all_linked(); ++round) {
        for (const auto a : here) {
            for (const auto b : here) {
                restart(a);
                restart(b);
                connect(a, b);
            }
        }
        run_until_idle(std::chrono::hours{24});
    }
}

}  // namespace fieldpost::tests
