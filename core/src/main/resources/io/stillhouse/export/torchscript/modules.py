# Layers and functions of all architectures.
#
# Names of tensors end in their shape: B rows, L padded length, D hidden width, H heads, K width of a head, E any other
# width.


class Embedding(Module):
    __parameters__ = ["weight"]
    training: bool
    weight: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        return torch.embedding(self.weight, ids)

    # Returns the first rows, (L, D).
    def first(self, length: int) -> Tensor:
        return self.weight.narrow(0, 0, length)


class Linear(Module):
    __parameters__ = ["weight", "bias"]
    training: bool
    weight: Tensor
    bias: Tensor

    def forward(self, input: Tensor) -> Tensor:
        return torch.linear(input, self.weight, self.bias)


class LayerNorm(Module):
    __parameters__ = ["weight", "bias"]
    training: bool
    weight: Tensor
    bias: Tensor

    def forward(self, input: Tensor) -> Tensor:
        return torch.layer_norm(input, [self.weight.size(0)], self.weight, self.bias, $eps)


# Embeddings of BERT and ALBERT.
class Embeddings(Module):
    training: bool
    word_embeddings: __torch__.modules.Embedding
    position_embeddings: __torch__.modules.Embedding
    token_type_embeddings: __torch__.modules.Embedding
    LayerNorm: __torch__.modules.LayerNorm

    def forward(self, input_ids: Tensor, token_type_ids: Optional[Tensor]) -> Tensor:
        if token_type_ids is None:
            types = torch.zeros_like(input_ids)
        else:
            types = token_type_ids
        words = self.word_embeddings.forward(input_ids)
        sum = words + self.token_type_embeddings.forward(types) + self.position_embeddings.first(input_ids.size(1))
        return self.LayerNorm.forward(sum)


# The masked-LM head below its decoder.
class Transform(Module):
    training: bool
    dense: __torch__.modules.Linear
    LayerNorm: __torch__.modules.LayerNorm

    def forward(self, hiddenBLD: Tensor) -> Tensor:
        return self.LayerNorm.forward(__torch__.modules.activate(self.dense.forward(hiddenBLD)))


def gelu(input: Tensor) -> Tensor:
    return torch.gelu(input, approximate="none")


def gelu_new(input: Tensor) -> Tensor:
    return torch.gelu(input, approximate="tanh")


def gelu_pytorch_tanh(input: Tensor) -> Tensor:
    return torch.gelu(input, approximate="tanh")


def relu(input: Tensor) -> Tensor:
    return torch.relu(input)


# The activation of feed-forward layers and of the masked-LM head.
def activate(input: Tensor) -> Tensor:
    return __torch__.modules.$activation(input)


# Returns what is added to attention scores, (B, 1, 1, L): 0 at tokens, the smallest finite float32 at padding.
def padding_bias(attention_mask: Optional[Tensor], input_ids: Tensor, stateBLD: Tensor) -> Tensor:
    if attention_mask is None:
        maskBL = torch.ones_like(input_ids)
    else:
        maskBL = attention_mask
    paddingBL = 1.0 - maskBL.to(stateBLD.dtype)
    return (paddingBL * -3.4028234663852886e38).unsqueeze(1).unsqueeze(1)


# Returns (B, H, L, K).
def heads(stateBLD: Tensor) -> Tensor:
    return stateBLD.view([stateBLD.size(0), stateBLD.size(1), $heads, -1]).transpose(1, 2)


# Returns the concatenated results of the heads, (B, L, D).
def attend(queryBLD: Tensor, keyBLD: Tensor, valueBLD: Tensor, biasB11L: Tensor) -> Tensor:
    contextBHLK = torch.scaled_dot_product_attention(
        __torch__.modules.heads(queryBLD),
        __torch__.modules.heads(keyBLD),
        __torch__.modules.heads(valueBLD),
        biasB11L,
    )
    return contextBHLK.transpose(1, 2).flatten(2)
