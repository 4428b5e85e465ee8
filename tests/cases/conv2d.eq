# Convolution in two dimensions, stride 2, padding 1, then a dense layer: no flatten
axis p = (size(h) + 2 - size(u))//2 + 1
axis q = (size(w) + 2 - size(v))//2 + 1
data x[b,c,h,w]
integer t[b]
parameter W[o,c,u,v], β[o], V[o,p,q,k]
z[b,o,p,q] = sum[c,u,v](x[b,c,2*p + u - 1,2*q + v - 1]*W[o,c,u,v]) + β[o]
a[b,o,p,q] = tanh(z[b,o,p,q])
s[b,k] = sum[o,p,q](a[b,o,p,q]*V[o,p,q,k])
C = sum[b](logsumexp[k](s[b,k]) - s[b,t[b]])/size(b)
