// The chip by itself, for Python (sim/sdram/chip.py).
#include "chip.h"

extern "C" {

SdramChip *chip_new(uint8_t *bytes, const uint64_t *times) {
    SdramTimes given;
    static_assert(sizeof given % sizeof *times == 0);
    std::copy_n(times, sizeof given / sizeof *times, reinterpret_cast<uint64_t *>(&given));
    return new SdramChip(bytes, given);
}

void chip_delete(SdramChip *chip) { delete chip; }

// pins: cke, cs_n, ras_n, cas_n, we_n, oe from bit 0 on. The word on the bus, with bit 16 where the chip drives it.
uint32_t chip_edge(SdramChip *chip, uint64_t now, uint32_t pins, uint32_t ba, uint32_t a, uint32_t dqm, uint32_t dq) {
    const auto bit = [pins](int n) { return (pins >> n & 1) != 0; };
    chip->edge({bit(0), bit(1), bit(2), bit(3), bit(4), ba, a, dqm, dq, bit(5)}, now);
    return chip->dq() | static_cast<uint32_t>(chip->driven()) << 16;
}

void chip_check_rows(SdramChip *chip) { chip->check_rows(); }

void chip_findings(const SdramChip *chip, uint64_t *counts) {
    for (const SdramChip::Finding &finding : chip->findings) *counts++ = finding.count;
}

void chip_counts(const SdramChip *chip, uint64_t *counts) {
    static_assert(sizeof chip->counts == 5 * sizeof *counts);
    std::copy_n(reinterpret_cast<const uint64_t *>(&chip->counts), 5, counts);
}
}
