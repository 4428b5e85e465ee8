# Dropout (Srivastava et al. 2014): randomness is an input
keep = 0.8
data x[b,i], y[b]
parameter W[i,j], V[j]
random r[b,j] ~ uniform
a[b,j] = tanh(sum[i](x[b,i]*W[i,j]))
d[b,j] = where([r[b,j] < keep], a[b,j]/keep, 0)
C = sum[b]((sum[j](d[b,j]*V[j]) - y[b])^2)/size(b)
