# Dropout's masks on a GPU: the same numbers as Dropout.java computes on a CPU.


class Ops(Module):
    training: bool

    # The finalizer of MurmurHash3. int32 products wrap around; a right shift keeps the sign, so the mask after it
    # clears the copies of the sign bit.
    def mix(self, numbers: Tensor) -> Tensor:
        a = numbers.bitwise_xor(numbers.bitwise_right_shift(16).bitwise_and(65535))
        b = a * -2048144789
        c = b.bitwise_xor(b.bitwise_right_shift(13).bitwise_and(524287))
        d = c * -1028477387
        return d.bitwise_xor(d.bitwise_right_shift(16).bitwise_and(65535))

    # Returns M masks of one shape, one for each pair of half keys: 0 where the number's level is below `dropped`
    # (of 65536), `kept` elsewhere.
    def masks(self, shape: List[int], firstM1: Tensor, secondM1: Tensor, dropped: int, kept: float) -> List[Tensor]:
        size = 1
        for i in range(len(shape)):
            size = size * shape[i]
        numbers = torch.arange(size, dtype=3, layout=0, device=firstM1.device, pin_memory=False)  # int32, strided
        mixed = self.mix(self.mix(numbers.bitwise_xor(firstM1)) + secondM1)
        levels = mixed.bitwise_right_shift(16).bitwise_and(65535)
        masks = (levels >= dropped).to(6) * kept  # float32
        return masks.view([firstM1.size(0)] + shape).unbind(0)
