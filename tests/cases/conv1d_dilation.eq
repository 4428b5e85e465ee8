# Convolution in one dimension, dilation 2, padding 2
axis p = size(h) + 4 - 2*(size(u) - 1)
data x[b,c,h], y[b,o,p]
parameter W[o,c,u], β[o]
z[b,o,p] = sum[c,u](x[b,c,p + 2*u - 2]*W[o,c,u]) + β[o]
C = sum[b,o,p]((tanh(z[b,o,p]) - y[b,o,p])^2)/size(b)
